import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Compiles the servers' code, which Jest cannot transform here, and opens the broker that workers ask for servers. */
export default async function globalSetup() {
  const here = fileURLToPath(new URL('..', import.meta.url))
  execFileSync(fileURLToPath(new URL('../node_modules/.bin/tsc', import.meta.url)), ['-b'], { cwd: here, stdio: 'inherit' })
  const { startServerBroker } = await import('../dist/server-broker.js')
  const { reapOrphans } = await import('@millrace/local-stack')
  reapOrphans()
  const broker = await startServerBroker()
  process.env.MILLRACE_TEST_SERVERS = broker.url
  globalThis.millraceTestBroker = broker
}
