import { type PostgresOptions, type PostgresServer, startPostgres } from '@millrace/local-stack'
import { hold } from './leaks.js'
import { withStop } from './test-redis.js'

/** A PostgreSQL server for this test alone, to configure, kill, pause and restart; `stop` gives it back. */
export async function startTestPostgresServer(options: PostgresOptions = {}): Promise<PostgresServer> {
  const server = await startPostgres(options)
  return withStop(server, hold(`PostgreSQL server on port ${server.port}`, server.stop))
}
