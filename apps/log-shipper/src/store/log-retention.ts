import { dayPartitions, type RetentionRule } from '@millrace/retention'

/** Chunks are dropped with their day; what is dropped stays in the ledger as stored and is counted as expired. */
export function logRetentionRules(stream: string, retentionMs: number): RetentionRule[] {
  return [
    {
      ...dayPartitions('log_chunks', {
        beforeDrop: async (table, { connection, onRowsDeleted }) => {
          const { rows } = await connection.query<{ tenant_id: number; lines: bigint }>(
            `select tenant_id, sum(lines)::bigint as lines from ${table} group by tenant_id`,
          )
          if (rows.length === 0) return []
          onRowsDeleted(rows.reduce((sum, { lines }) => sum + Number(lines), 0))
          return [
            {
              text: `insert into ledger_expired as l (stream, tenant_id, expired) select $1, * from unnest($2::integer[], $3::bigint[])
                on conflict (stream, tenant_id) do update set expired = l.expired + excluded.expired, updated_at = now()`,
              values: [stream, rows.map(({ tenant_id }) => tenant_id), rows.map(({ lines }) => lines)],
            },
          ]
        },
      }),
      keptMs: retentionMs,
    },
  ]
}
