import { isMillraceError } from '@millrace/contracts'
import pg from 'pg'
import { databaseErrors } from './errors.js'
import { destroySocket } from './pg-internals.js'
import { toDatabaseError } from './to-database-error.js'

/**
 * Resolves when the server answers on a new connection, also when it answers that it refuses the connection, for example because it has too many.
 * @throws databaseErrors.DATABASE_UNAVAILABLE when nothing answers in `limitMs`, or the server says that it starts or stops
 */
export async function probeServer(config: pg.ClientConfig, limitMs: number): Promise<void> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: limitMs, query_timeout: limitMs })
  client.on('error', () => undefined)
  const destroy = () => destroySocket(client)
  const timer = setTimeout(destroy, limitMs)
  try {
    await client.connect()
    await client.query('select 1')
  } catch (error) {
    const known = toDatabaseError(error)
    const isAnswer = isMillraceError(known) && known.details?.sqlState !== undefined
    if (!isAnswer || isStartingOrStopping(known.details?.sqlState)) {
      throw databaseErrors.DATABASE_UNAVAILABLE({ message: `no answer in ${limitMs} ms`, cause: error })
    }
  } finally {
    clearTimeout(timer)
    // Without waiting: a server that does not answer does not end the connection either.
    client.end().catch(() => undefined)
    setTimeout(destroy, limitMs).unref()
  }
}

function isStartingOrStopping(sqlState: unknown): boolean {
  return typeof sqlState === 'string' && sqlState.startsWith('57P')
}
