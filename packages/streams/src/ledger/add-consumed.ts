import type { SqlStatement } from '../consumer/database-port.js'
import type { ConsumedCount } from './consumed-counts.js'

/**
 * Adds to the totals of each (partition, producer, tenant). Rows are in key order, so that two writers cannot
 * deadlock.
 */
export function addConsumedStatement(stream: string, counts: readonly ConsumedCount[]): SqlStatement {
  const of = <K extends keyof ConsumedCount>(key: K): ConsumedCount[K][] => counts.map((count) => count[key])
  return {
    name: 'add_ledger_consumed',
    text: `insert into ledger_consumed as l
             (stream, partition, producer, tenant_id, accepted, rejected, stored, duplicate, dead_lettered)
           select $1, * from unnest($2::smallint[], $3::uuid[], $4::integer[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[])
           on conflict (stream, partition, producer, tenant_id) do update set
             accepted = l.accepted + excluded.accepted, rejected = l.rejected + excluded.rejected, stored = l.stored + excluded.stored,
             duplicate = l.duplicate + excluded.duplicate, dead_lettered = l.dead_lettered + excluded.dead_lettered, updated_at = now()`,
    values: [
      stream,
      of('partition'),
      of('producer'),
      of('tenantId'),
      of('accepted'),
      of('rejected'),
      of('stored'),
      of('duplicate'),
      of('deadLettered'),
    ],
  }
}
