import { DAY_MS } from '@millrace/contracts'
import { type DayPartitions, PARTITIONED_TABLES } from '@millrace/database'

const DAYS_AHEAD = 3

/**
 * Creates the day partitions of yesterday and of the next days, so that batches find them. Safe when several
 * processes do it at once.
 */
export async function createPartitionsAhead(dayPartitions: DayPartitions, nowMs: number): Promise<void> {
  for (const table of PARTITIONED_TABLES) await dayPartitions.ensure(table, nowMs - DAY_MS, nowMs + DAYS_AHEAD * DAY_MS)
}
