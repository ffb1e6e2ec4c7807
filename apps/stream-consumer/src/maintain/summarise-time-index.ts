import { DAY_MS } from '@millrace/contracts'
import { type Database, databaseErrors, dayPartitionName } from '@millrace/database'

/** Below deadlock_timeout (1 s): after that, PostgreSQL cancels an autovacuum that holds the lock. */
const LOCK_TIMEOUT = '50ms'

/**
 * Adds the newest pages of yesterday's, today's and tomorrow's events to the BRIN index on time. Without it, reading
 * a short time range, such as a page of the newest events, scans all pages since the last vacuum, which comes after
 * millions of rows. Reads those pages once, about 50 ns per row. Its lock conflicts only with vacuum; while a vacuum
 * runs it does nothing, since vacuum does the same.
 */
export async function summariseTimeIndex(database: Pick<Database, 'transaction'>, nowMs: number): Promise<void> {
  const partitions = [-1, 0, 1].map((days) => dayPartitionName('events', nowMs + days * DAY_MS))
  try {
    await database.transaction(async (tx) => {
      await tx.pipeline([
        { text: `select set_config('lock_timeout', $1, true)`, values: [LOCK_TIMEOUT] },
        {
          text: `select brin_summarize_new_values(c.oid) from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
            where a.amname = 'brin' and i.indrelid in (
              select t.relid from unnest($1::text[]) as n (name), pg_partition_tree(to_regclass(name)) t where t.isleaf)`,
          values: [partitions],
        },
      ])
    })
  } catch (error) {
    if (!databaseErrors.DATABASE_LOCK_TIMEOUT.matches(error)) throw error
  }
}
