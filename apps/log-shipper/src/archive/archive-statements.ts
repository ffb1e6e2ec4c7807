import type { Queryable, Step } from '@millrace/database'
import type { ChunkRow } from './chunk-payload.js'

/** Chunks of one tenant that arrived in one UTC hour and are not archived. */
export interface PendingHour {
  readonly tenantId: number
  /** As 2026-11-30T14. */
  readonly hour: string
  readonly lines: number
  /** Time since the oldest of them was stored, in seconds. */
  readonly oldestSeconds: number
}

/** The oldest hour first. Relies on the partial index log_chunks_unarchived of each day. */
export async function readPending(database: Queryable): Promise<PendingHour[]> {
  const { rows } = await database.query<{ tenant_id: number; hour: string; lines: bigint; oldest_seconds: number }>(
    `select tenant_id, to_char(stored_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24') as hour, sum(lines)::bigint as lines,
       extract(epoch from clock_timestamp() - min(stored_at))::float8 as oldest_seconds
     from log_chunks where archive_state = 0 group by 1, 2 order by min(stored_at)`,
  )
  return rows.map((row) => ({
    tenantId: row.tenant_id,
    hour: row.hour,
    lines: Number(row.lines),
    oldestSeconds: row.oldest_seconds,
  }))
}

/** Chunks that one statement reads. */
const CHUNKS_PER_READ = 32

/** A group of filters belongs to other chunks as well, so it is left out; a chunk without a filter is read by every search. */
const NOT_ARCHIVED = ['filter_group', 'filter_slot', 'group_filter']

/** The columns of log_chunks that are archived. */
export async function readChunkColumns(database: Queryable): Promise<string[]> {
  const { rows } = await database.query<{ name: string }>(
    `select attname::text as name from pg_attribute where attrelid = 'log_chunks'::regclass and attnum > 0 and not attisdropped
       and attname <> all($1) order by attnum`,
    [NOT_ARCHIVED],
  )
  return rows.map(({ name }) => name)
}

/** Which chunks to read. */
export interface ChunkRange extends Pick<PendingHour, 'tenantId' | 'hour'> {
  readonly afterId: bigint
  readonly columns: readonly string[]
}

/** Chunks of an hour that are not archived, in the order of their ids. */
export async function readChunks(
  database: Queryable,
  { tenantId, hour, afterId, columns }: ChunkRange,
): Promise<ChunkRow[]> {
  const { rows } = await database.query<ChunkRow>({
    text: `select ${columns.join(', ')} from log_chunks where archive_state = 0 and tenant_id = $1 and chunk_id > $2
        and stored_at >= $3::timestamptz and stored_at < $3::timestamptz + interval '1 hour'
      order by chunk_id limit ${CHUNKS_PER_READ}`,
    values: [tenantId, afterId, `${hour}:00:00Z`],
    mayRepeat: true,
  })
  return rows
}

/**
 * Marks chunks as archived. Ids alone do not identify them: after PostgreSQL was restored from a backup, new chunks get ids that archived chunks have.
 */
export function markArchived(tenantId: number, rows: readonly ChunkRow[]): Step {
  const all = (column: string) => rows.map((row) => toText(row[column]))
  return {
    text: `update log_chunks c set archive_state = 1
      from unnest($2::timestamptz[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[]) as a (day, chunk_id, first_ms, last_ms, lines)
      where c.tenant_id = $1 and c.day = any($2::timestamptz[]) and c.day = a.day and c.chunk_id = a.chunk_id and c.first_ms = a.first_ms
        and c.last_ms = a.last_ms and c.lines = a.lines and c.archive_state = 0`,
    values: [tenantId, all('day'), all('chunk_id'), all('first_ms'), all('last_ms'), all('lines')],
  }
}

function toText(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value)
}

/** How far the archive is, for the health report. */
export interface ArchiveStatus {
  readonly pendingLines: number
  /** Undefined when nothing is pending. */
  readonly oldestSeconds: number | undefined
  /** Whether lines wait for much longer than they should. */
  readonly isLate: boolean
  /** Why the last run failed. */
  readonly reason: string | undefined
}

export async function writeStatus(database: Queryable, stream: string, status: ArchiveStatus): Promise<void> {
  await database.query(
    `insert into archive_status (stream, checked_at, pending_records, oldest_pending_at, is_late, reason)
     values ($1, clock_timestamp(), $2, clock_timestamp() - $3::float8 * interval '1 second', $4, $5)
     on conflict (stream) do update set checked_at = excluded.checked_at, pending_records = excluded.pending_records,
       oldest_pending_at = excluded.oldest_pending_at, is_late = excluded.is_late, reason = excluded.reason`,
    [stream, status.pendingLines, status.oldestSeconds ?? null, status.isLate, status.reason ?? null],
  )
}

/** For a stream that is not archived any more. */
export async function deleteStatus(database: Queryable, stream: string): Promise<void> {
  await database.query('delete from archive_status where stream = $1', [stream])
}
