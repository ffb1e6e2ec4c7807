import { setTimeout as delay } from 'node:timers/promises'
import { ADVISORY_LOCKS } from '@millrace/contracts'
import { type Database, ensureEventPositionIndex, hasEventPositionIndex } from '@millrace/database'
import type { Logger } from '@millrace/logger'

const POLL_MS = 2_000
/** Building the index of a large day takes minutes. */
const CONNECTION = { applicationName: 'millrace-mirror-index', statementTimeoutMs: 0 }

/**
 * Returns a function that ensures the index by which the mirror reads. One process builds it; the others wait until it is complete.
 */
export function createPreparePositions({
  database,
  logger,
}: {
  database: Pick<Database, 'connection' | 'query'>
  logger: Logger
}): (signal: AbortSignal) => Promise<void> {
  return async (signal) => {
    for (; !(await hasEventPositionIndex(database)); await delay(POLL_MS, undefined, { signal })) {
      if (await buildIndex({ database, logger }, signal)) return
    }
  }
}

/** Resolves with false when another process builds it. */
async function buildIndex(
  { database, logger }: { database: Pick<Database, 'connection'>; logger: Logger },
  signal: AbortSignal,
): Promise<boolean> {
  const connection = await database.connection(CONNECTION)
  try {
    const { rows } = await connection.query<{ locked: boolean }>(
      'select pg_try_advisory_lock(hashtext($1)) as locked',
      [ADVISORY_LOCKS.eventPositions],
    )
    if (rows[0]?.locked !== true) return false
    logger.info('the index of events by position is being built for the mirror to Kafka')
    const isBuilt = await ensureEventPositionIndex(connection, signal)
    if (isBuilt) logger.info('the index of events by position is complete')
    return isBuilt
  } finally {
    await connection.close()
  }
}
