import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Compiles everything once, unless MILLRACE_TESTS_SKIP_BUILD is 1, and opens the broker that workers ask for servers. Child processes of tests run
 * compiled code, and a worker that compiled it would let the others read half-written files.
 */
export default async function globalSetup() {
  if (process.env.MILLRACE_TESTS_SKIP_BUILD !== '1') compile(fileURLToPath(new URL('../../../', import.meta.url)))
  const { reapOrphans } = await import('@millrace/local-stack')
  const { startServerBroker } = await import('../dist/server-broker.js')
  await reapOrphans()
  const broker = await startServerBroker()
  process.env.MILLRACE_TEST_SERVERS = broker.url
  globalThis.millraceTestBroker = broker
}

function compile(root) {
  // A type error does not keep it from writing the code, and `npm run check` reports it.
  const { status, stdout } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-b', ...projects(root)], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) process.stderr.write(`there are type errors:\n${stdout}`)
}

function projects(root) {
  const folders = ['packages', 'apps'].flatMap((parent) =>
    readdirSync(join(root, parent)).map((name) => join(root, parent, name)),
  )
  return folders.filter((folder) => existsSync(join(folder, 'tsconfig.json')))
}
