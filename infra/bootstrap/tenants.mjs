// npm run tenants -- add NAME: makes a tenant and its keys. The database is DATABASE_URL's, else that of the stack that runs.
import { join, resolve } from 'node:path'
import { give, prepare, ROOT, run } from './steps.mjs'

await prepare()
const { localDatabaseUrl } = await import('../../packages/local-stack/dist/index.js')
const { DATABASE_URL, MILLRACE_DATA_DIR } = process.env
const url = DATABASE_URL || localDatabaseUrl(resolve(MILLRACE_DATA_DIR ?? '.millrace'))
if (!url) give('no stack runs here: start one with npm start, or set DATABASE_URL')
process.exitCode = await run(
  process.execPath,
  [join(ROOT, 'packages/auth/dist/tenants-cli.js'), ...process.argv.slice(2)],
  {
    env: { DATABASE_URL: url },
  },
)
