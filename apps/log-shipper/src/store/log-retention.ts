import { dayPartitions, type RetentionRule } from '@millrace/retention'

export interface LogRetention {
  readonly stream: string
  readonly retentionMs: number
  /** Whether lines are archived: then a day is dropped only when all of its chunks are. */
  readonly isArchived: boolean
}

/**
 * Chunks are dropped with their day; what is dropped stays in the ledger as stored and is counted as expired. A day stays while chunks of it are not archived
 * and have to be, or are under a legal hold, and while it is a restored one whose time is not over.
 */
export function logRetentionRules({ stream, retentionMs, isArchived }: LogRetention): RetentionRule[] {
  return [
    {
      ...dayPartitions('log_chunks', {
        mayDrop: async (partition, { connection }) => {
          const { rows } = await connection.query<{ is_needed: boolean }>(
            `select exists (select from ${partition} c where archive_state = 0 and ($1 or exists (
                select from archive_holds h where h.tenant_id = c.tenant_id and h.stream = $2 and h.released_at is null
                  and coalesce(h.from_ms, c.last_ms) <= c.last_ms and coalesce(h.to_ms, c.first_ms) >= c.first_ms)))
              or exists (select from log_restored_days where day = to_date(right($3, 8), 'YYYYMMDD') and kept_until > now()) as is_needed`,
            [isArchived, stream, partition],
          )
          return rows[0]?.is_needed !== true
        },
        beforeDrop: async (table, { connection, onRowsDeleted }) => {
          // Restored lines have expired once before.
          const { rows } = await connection.query<{ tenant_id: number; lines: bigint }>(
            `select tenant_id, sum(lines)::bigint as lines from ${table} where archive_state <> 2 group by tenant_id`,
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
