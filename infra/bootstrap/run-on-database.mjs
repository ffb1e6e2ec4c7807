import { join, resolve } from 'node:path'
import { fail, prepare, ROOT, run } from './steps.mjs'

/** Runs a compiled program with the arguments of this command, on the database of DATABASE_URL or else of the stack that is running here. Returns its exit code. */
export async function runOnDatabase(program) {
  await prepare()
  const { localDatabaseUrl } = await import('../../packages/local-stack/dist/index.js')
  const { DATABASE_URL, MILLRACE_DATA_DIR } = process.env
  const url = DATABASE_URL || localDatabaseUrl(resolve(MILLRACE_DATA_DIR || '.millrace'))
  if (!url) fail('no stack is running here: start one with npm start, or set DATABASE_URL')
  return await run(process.execPath, [join(ROOT, program), ...process.argv.slice(2)], { env: { DATABASE_URL: url } })
}
