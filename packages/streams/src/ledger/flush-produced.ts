import type { SqlClient } from '../consumer/database-port.js'
import type { ProducedCounts } from './produced-counts.js'

// Counts are absolute, so a flush can be repeated; greatest() keeps a delayed one from lowering them. Each row is written by one process
// only, so no statement waits for a row lock.
const upsert = `
  insert into ledger_produced (stream, producer, tenant_id, accepted, rejected, spooled)
  select $1, $2::uuid, t.tenant_id, t.accepted, t.rejected, t.spooled
  from unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[]) as t (tenant_id, accepted, rejected, spooled)
  on conflict (stream, producer, tenant_id) do update
  set accepted = greatest(ledger_produced.accepted, excluded.accepted),
      rejected = greatest(ledger_produced.rejected, excluded.rejected),
      spooled = excluded.spooled,
      updated_at = now()`

/**
 * Returns a function that writes the counts that changed to `ledger_produced`. When that fails it throws and keeps the counts for the next call:
 * a producer accepts records without the database.
 */
export function createFlushProduced(
  source: { stream: string; producerId: string; counts: ProducedCounts; isSpoolEmpty: () => boolean },
  deps: { database: SqlClient },
): () => Promise<void> {
  return async function flushProduced() {
    if (source.isSpoolEmpty()) source.counts.clearSpooled()
    const changed = source.counts.takeChanged()
    if (changed.length === 0) return
    try {
      await deps.database.query({
        name: 'flush-produced',
        text: upsert,
        values: [
          source.stream,
          source.producerId,
          changed.map(([tenantId]) => tenantId),
          changed.map(([, counts]) => counts.accepted),
          changed.map(([, counts]) => counts.rejected),
          changed.map(([, counts]) => counts.spooled),
        ],
      })
    } catch (error) {
      source.counts.restore(changed.map(([tenantId]) => tenantId))
      throw error
    }
  }
}
