import type { Statement } from '@millrace/database'
import type { DeletionContext } from '@millrace/retention'

/** Pages that one statement counts: 1 GB, some seconds from a cold disk. A longer statement would hold back vacuum in all tables. */
const PAGES_PER_STATEMENT = 131_072
const PAGE_BYTES = 8192

/**
 * Counts the stored records of each tenant in a table of events that is about to be dropped, and returns the statement that adds them to the ledger.
 * Reads the whole table once, so that the hot path need not count records by day. Rows with a negative position were loaded past the stream; the ledger
 * does not know them. undefined when it was told to stop.
 */
export async function countExpired(
  stream: string,
  table: string,
  { connection, signal, onRowsDeleted }: DeletionContext,
): Promise<Statement[] | undefined> {
  const expired = new Map<number, bigint>()
  const { rows: leaves } = await connection.query<{ leaf: string; bytes: number }>(
    // Not pg_partition_tree: it returns nothing for a detached day that has no segments.
    `select oid::regclass::text as leaf, pg_relation_size(oid)::float8 as bytes from pg_class
      where relkind = 'r' and (oid = $1::regclass or oid in (select inhrelid from pg_inherits where inhparent = $1::regclass))`,
    [table],
  )
  for (const { leaf, bytes } of leaves) {
    for (let page = 0; page < bytes / PAGE_BYTES; page += PAGES_PER_STATEMENT) {
      if (signal.aborted) return undefined
      const { rows } = await connection.query<{ tenant_id: number; records: bigint }>(
        `select tenant_id, count(*) as records from ${leaf} where ctid >= $1::tid and ctid < $2::tid and position >= 0 group by tenant_id`,
        [`(${page},0)`, `(${page + PAGES_PER_STATEMENT},0)`],
      )
      for (const { tenant_id, records } of rows) expired.set(tenant_id, (expired.get(tenant_id) ?? 0n) + records)
    }
  }
  if (expired.size === 0) return []
  const missed = await countMissed(stream, table, connection)
  onRowsDeleted([...expired.values()].reduce((sum, records) => sum + Number(records), 0))
  return [
    {
      text: `insert into ledger_expired as l (stream, tenant_id, expired) select $1, * from unnest($2::integer[], $3::bigint[])
        on conflict (stream, tenant_id) do update set expired = l.expired + excluded.expired, updated_at = now()`,
      values: [stream, [...expired.keys()], [...expired.values()]],
    },
    ...missed,
  ]
}

/** Counts the events of the table that the mirror to Kafka has not written yet. Costs one look-up when nothing is mirrored. */
async function countMissed(
  stream: string,
  table: string,
  connection: DeletionContext['connection'],
): Promise<Statement[]> {
  const { rows: mirrored } = await connection.query('select from mirror_positions where stream = $1 limit 1', [stream])
  if (mirrored.length === 0) return []
  const { rows } = await connection.query<{ topic: string; group_name: string; partition: number; missed: bigint }>(
    `select m.topic, m.group_name, m.partition, count(*) as missed from ${table} e
      join mirror_positions m on m.partition = e.partition and e.position >= m.next_ordinal where m.stream = $1 group by 1, 2, 3`,
    [stream],
  )
  return rows.map(({ topic, group_name, partition, missed }) => ({
    text: `update mirror_positions set missed = missed + $5 where topic = $1 and group_name = $2 and stream = $3 and partition = $4`,
    values: [topic, group_name, stream, partition, missed],
  }))
}
