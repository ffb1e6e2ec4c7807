import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Compiles the servers' code, which Jest cannot transform here, and opens the broker that workers ask for servers. */
export default async function globalSetup() {
  const cwd = fileURLToPath(new URL('..', import.meta.url))
  const tsc = fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url))
  // A type error does not keep it from writing the code, and it is for `npm run check` to find.
  const { status, stdout } = spawnSync(tsc, ['-b'], { cwd, encoding: 'utf8' })
  if (status !== 0) process.stderr.write(`packages/testing has type errors:\n${stdout}`)
  const { reapOrphans } = await import('@millrace/local-stack')
  const { startServerBroker } = await import('../dist/server-broker.js')
  reapOrphans()
  const broker = await startServerBroker()
  process.env.MILLRACE_TEST_SERVERS = broker.url
  globalThis.millraceTestBroker = broker
}
