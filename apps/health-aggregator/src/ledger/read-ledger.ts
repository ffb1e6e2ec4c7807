import type { Database, Queryable } from '@millrace/database'
import type { Consumed, Counts, Expired, Gap, LedgerSnapshot, PartitionPosition, Produced } from './ledger-rows.js'

export interface LedgerScope {
  readonly stream: string
  readonly group: string
}

/** Reads both sides of the ledger, the gaps and the positions of all tenants in one snapshot. The tables are small: one row for each producer and tenant. */
export async function readLedger(database: Database, { stream, group }: LedgerScope): Promise<LedgerSnapshot> {
  return await database.transaction(
    async (tx) => {
      const [produced, consumed, expired, gaps, positions] = await tx.pipeline([
        { name: 'ledger_produced', text: PRODUCED, values: [stream, null] },
        { name: 'ledger_consumed', text: CONSUMED, values: [stream, null] },
        { name: 'ledger_expired', text: EXPIRED, values: [stream, null] },
        { name: 'ledger_gaps', text: GAPS, values: [group, stream] },
        { name: 'ledger_positions', text: POSITIONS, values: [group, stream] },
      ])
      return {
        produced: toProduced(produced?.rows),
        consumed: toConsumed(consumed?.rows),
        expired: toExpired(expired?.rows),
        gaps: (gaps?.rows ?? []).map(
          (row): Gap => ({ producer: String(row.producer), lostRecords: Number(row.lost_records) }),
        ),
        positions: (positions?.rows ?? []).map(
          (row): PartitionPosition => ({ partition: Number(row.partition), position: String(row.position) }),
        ),
      }
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}

/** Reads both sides for one tenant, or for all when `tenantId` is null. Call it in a repeatable-read transaction. */
export async function readCounts(tx: Queryable, stream: string, tenantId: number | null): Promise<Counts> {
  const produced = await tx.query<Row>({ name: 'ledger_produced', text: PRODUCED, values: [stream, tenantId] })
  const consumed = await tx.query<Row>({ name: 'ledger_consumed', text: CONSUMED, values: [stream, tenantId] })
  const expired = await tx.query<Row>({ name: 'ledger_expired', text: EXPIRED, values: [stream, tenantId] })
  return {
    produced: toProduced(produced.rows),
    consumed: toConsumed(consumed.rows),
    expired: toExpired(expired.rows),
  }
}

const PRODUCED = `select producer, tenant_id, accepted, rejected, spooled from ledger_produced
  where stream = $1 and ($2::integer is null or tenant_id = $2)`
const CONSUMED = `select producer, tenant_id, sum(accepted)::bigint as accepted, sum(rejected)::bigint as rejected, sum(stored)::bigint as stored,
    sum(duplicate)::bigint as duplicate, sum(dead_lettered)::bigint as dead_lettered
  from ledger_consumed where stream = $1 and ($2::integer is null or tenant_id = $2) group by producer, tenant_id`
const EXPIRED = `select tenant_id, expired from ledger_expired where stream = $1 and ($2::integer is null or tenant_id = $2)`
const GAPS = `select producer, sum(lost_records)::bigint as lost_records from stream_producers
  where group_name = $1 and stream = $2 and lost_records > 0 group by producer`
const POSITIONS = `select partition, position from stream_partitions where group_name = $1 and stream = $2 order by partition`

type Row = Record<string, unknown>

function toProduced(rows: readonly Row[] = []): Produced[] {
  return rows.map((row) => ({
    producer: String(row.producer),
    tenantId: Number(row.tenant_id),
    accepted: Number(row.accepted),
    rejected: Number(row.rejected),
    spooled: Number(row.spooled),
  }))
}

function toConsumed(rows: readonly Row[] = []): Consumed[] {
  return rows.map((row) => ({
    producer: String(row.producer),
    tenantId: Number(row.tenant_id),
    accepted: Number(row.accepted),
    rejected: Number(row.rejected),
    stored: Number(row.stored),
    duplicate: Number(row.duplicate),
    deadLettered: Number(row.dead_lettered),
  }))
}

function toExpired(rows: readonly Row[] = []): Expired[] {
  return rows.map((row) => ({ tenantId: Number(row.tenant_id), records: Number(row.expired) }))
}
