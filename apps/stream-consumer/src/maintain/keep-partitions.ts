import { ADVISORY_LOCKS, DAY_MS, LATE_NOTICES_KEPT_MS } from '@millrace/contracts'
import { type Connection, type Database, type DayPartitions, dropDayPartitionsBefore } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { deleteTypedRows, type TypedTable } from './delete-typed-rows.js'
import { deleteGoneWindows, type RollupRetention, raiseHorizons } from './keep-rollups.js'

export interface KeepPartitionsConfig {
  /** Rows of events are kept so long, in ms, and what typed events have left. */
  readonly retentionMs: number
  readonly rollups: RollupRetention
  /** The journal is kept so long, in ms: the deduplication window. */
  readonly windowMs: number
}

export interface KeepPartitionsDeps {
  readonly database: Database
  readonly dayPartitions: DayPartitions
  readonly logger: Logger
  /** Told of rows that were deleted one by one, not with a partition. */
  readonly onDeleted: (table: TypedTable, rows: number) => void
  readonly now: () => number
  readonly signal: AbortSignal
}

const DAYS_AHEAD = 3

/**
 * Makes day partitions ahead of their day and drops those past their retention, and with the events of a day what typed events of that day have left.
 * One process at a time: the others return at once, since the advisory lock is held by the connection and goes with it.
 */
export async function keepPartitions(
  { retentionMs, windowMs, rollups }: KeepPartitionsConfig,
  { database, dayPartitions, logger, onDeleted, now, signal }: KeepPartitionsDeps,
): Promise<void> {
  const nowMs = now()
  for (const table of ['events', 'event_journal', 'rollups_1m'] as const) {
    await dayPartitions.ensure(table, nowMs - DAY_MS, nowMs + DAYS_AHEAD * DAY_MS)
  }
  const connection = await database.connection({ applicationName: 'millrace-partitions', statementTimeoutMs: 600_000 })
  try {
    const { rows } = await connection.query<{ locked: boolean }>(
      `select pg_try_advisory_lock(hashtext('${ADVISORY_LOCKS.retention}')) as locked`,
    )
    if (rows[0]?.locked !== true) return
    await raiseHorizons(connection, rollups, nowMs)
    const dropped = [
      ...(await dropDayPartitionsBefore(connection, 'events', nowMs - retentionMs)),
      ...(await dropDayPartitionsBefore(connection, 'rollups_1m', nowMs - rollups.minutesMs)),
      // A row may be as old as the window and lie in the partition that begins a day earlier.
      ...(await dropDayPartitionsBefore(connection, 'event_journal', nowMs - windowMs - DAY_MS)),
    ]
    if (dropped.length > 0) {
      logger.info('partitions past their retention were dropped', { dropped })
      dayPartitions.forget()
    }
    const windows = await deleteGoneWindows(connection)
    if (windows > 0) logger.info('windows of rollups past their retention were deleted', { windows })
    await forgetLateNotices(connection)
    const beforeMs = Math.floor((nowMs - retentionMs) / DAY_MS) * DAY_MS
    await deleteTypedRows({ beforeMs }, { connection, onDeleted, signal })
  } finally {
    await connection.close()
  }
}

/** Passes over rows that a consumer is writing: it locks several in the order of their key, and waiting for it in another order could deadlock. */
async function forgetLateNotices(connection: Connection): Promise<void> {
  await connection.query(
    `delete from window_versions where (tenant_id, event, day) in (select tenant_id, event, day from window_versions
       where changed_at < now() - $1 * interval '1 millisecond' for update skip locked)`,
    [LATE_NOTICES_KEPT_MS],
  )
}
