import type { Queryable } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import type { ProducedCounts } from './produced-counts.js'

// Absolute values, so a flush may be repeated; greatest() keeps a late one from taking counts back. Rows belong to one process, so there
// is nothing to wait for.
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
 * Writes the counts that moved to `ledger_produced`. When the database is away it keeps them for the next time and says so once: taking
 * events in must not depend on it.
 */
export function createFlushProduced(
  source: { stream: string; producerId: string; counts: ProducedCounts; isSpoolEmpty: () => boolean },
  deps: { database: Queryable; logger: Logger },
): () => Promise<void> {
  let isFailing = false
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
      if (isFailing) deps.logger.info('the produced counts are written again')
      isFailing = false
    } catch (error) {
      source.counts.restore(changed.map(([tenantId]) => tenantId))
      if (!isFailing) deps.logger.warn('the produced counts cannot be written, they are kept for later', { error })
      isFailing = true
    }
  }
}
