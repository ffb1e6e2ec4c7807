import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Compiles everything once, since child processes of tests run compiled code and workers that compiled at the same time would read half-written
 * files; and opens the broker that workers ask for servers.
 */
export default async function globalSetup() {
  const root = new URL('../../../', import.meta.url)
  const cwd = fileURLToPath(root)
  const tsc = fileURLToPath(new URL('node_modules/.bin/tsc', root))
  // A type error does not keep it from writing the code, and it is for `npm run check` to find.
  const { status, stdout } = spawnSync(tsc, ['-b', ...projects(cwd)], { cwd, encoding: 'utf8' })
  if (status !== 0) process.stderr.write(`there are type errors:\n${stdout}`)
  const { reapOrphans } = await import('@millrace/local-stack')
  const { startServerBroker } = await import('../dist/server-broker.js')
  reapOrphans()
  const broker = await startServerBroker()
  process.env.MILLRACE_TEST_SERVERS = broker.url
  globalThis.millraceTestBroker = broker
}

function projects(root) {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  )
  return folders.filter((folder) => existsSync(join(folder, 'tsconfig.json')))
}
