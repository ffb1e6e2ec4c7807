import { type Archive, findSegments, type KnownSegment } from '@millrace/archive'
import { ADVISORY_LOCKS, DAY_MS } from '@millrace/contracts'
import type { Database, DayPartitions, Queryable, Step } from '@millrace/database'
import { type ChunkRow, decodeChunkRows } from './chunk-payload.js'

export interface RestoreRequest {
  readonly stream: string
  /** Default: all tenants. */
  readonly tenantId?: number | undefined
  /** Chunks with lines from this time, ms since 1970, */
  readonly fromMs: number
  /** up to, but not including, this one. */
  readonly toMs: number
  /** Another table, which is created when it is missing. Default: log_chunks. */
  readonly into?: string | undefined
  /** How long retention leaves the restored days in log_chunks. */
  readonly keptDays: number
}

export interface RestoreReport {
  readonly segments: number
  readonly restoredChunks: number
  readonly restoredLines: number
  /** Chunks that are in the table already. */
  readonly presentChunks: number
}

export interface RestoreDeps {
  readonly database: Database
  readonly archive: Archive
  readonly dayPartitions: DayPartitions
}

const TABLE = 'log_chunks'
const TABLE_NAME = /^[a-z_][a-z0-9_]{0,50}$/

/**
 * Loads archived chunks into log_chunks again, where searches find them. A chunk that is there is left alone, so the restore may be repeated after any
 * failure and several may run at once: each chunk is loaded once. Restored lines do not count as stored a second time.
 * @throws the errors of `Archive.read`: nothing of a damaged segment is restored; what was restored before stays
 */
export async function restoreChunks(request: RestoreRequest, deps: RestoreDeps): Promise<RestoreReport> {
  const { database, archive } = deps
  const { fromMs, toMs, into = TABLE } = request
  if (!TABLE_NAME.test(into))
    throw new RangeError(`${into} is no name for a table: use lower-case letters, digits and _`)
  if (into !== TABLE) await database.query(`create table if not exists ${into} (like ${TABLE} including defaults)`)
  const types = await columnTypes(database, into)
  const report = { segments: 0, restoredChunks: 0, restoredLines: 0, presentChunks: 0 }
  for (const segment of await findSegments(database, request)) {
    const rows = decodeChunkRows(await archive.read(segment)).filter(
      (row) => Number(row.last_ms) >= fromMs && Number(row.first_ms) < toMs,
    )
    if (rows.length === 0) continue
    if (into === TABLE) await keepDays(rows, request, deps)
    const restored = await insertMissing(rows, { database, into, types, segment })
    report.segments++
    report.restoredChunks += restored.length
    report.restoredLines += restored.reduce((sum, row) => sum + Number(row.lines), 0)
    report.presentChunks += rows.length - restored.length
  }
  return report
}

/** Before the chunks are loaded, so that retention cannot drop a day between the two. */
async function keepDays(
  rows: readonly ChunkRow[],
  { keptDays }: RestoreRequest,
  { database, dayPartitions }: RestoreDeps,
): Promise<void> {
  const days = [...new Set(rows.map(dayOf))]
  await database.query(
    `insert into log_restored_days as d (day, kept_until)
     select to_timestamp(day / 1000.0)::timestamptz at time zone 'UTC', now() + make_interval(days => $2) from unnest($1::bigint[]) day
     on conflict (day) do update set kept_until = greatest(d.kept_until, excluded.kept_until)`,
    [days, keptDays],
  )
  for (const day of days) await dayPartitions.ensure(TABLE, day, day)
}

function dayOf({ day }: ChunkRow): number {
  const ms = Date.parse(String(day))
  if (!Number.isFinite(ms)) throw new RangeError('an archived chunk has no day')
  return Math.floor(ms / DAY_MS) * DAY_MS
}

/** The columns of a table with their types, for casts. */
async function columnTypes(database: Queryable, table: string): Promise<ReadonlyMap<string, string>> {
  const { rows } = await database.query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped`,
    [table],
  )
  return new Map(rows.map(({ name, type }) => [name, type]))
}

/** Inserts the chunks that are not there, in one transaction, and returns them. */
async function insertMissing(
  rows: readonly ChunkRow[],
  {
    database,
    into,
    types,
    segment,
  }: {
    readonly database: Database
    readonly into: string
    readonly types: ReadonlyMap<string, string>
    readonly segment: KnownSegment
  },
): Promise<ChunkRow[]> {
  return await database.transaction(async (tx) => {
    await tx.query('select pg_advisory_xact_lock(hashtext($1))', [ADVISORY_LOCKS.logRestore])
    const steps = rows.map((row) =>
      insertStatement({ ...row, tenant_id: segment.tenantId, archive_state: 2 }, into, types),
    )
    const results = await tx.pipeline(steps)
    return rows.filter((_, index) => results[index]?.rowCount === 1)
  })
}

/** Columns that the table does not have any more are left out, and columns that it has got since take their defaults. */
function insertStatement(row: ChunkRow, into: string, types: ReadonlyMap<string, string>): Step {
  const columns = Object.keys(row).filter((column) => types.has(column))
  const parameter = (column: string) => `$${columns.indexOf(column) + 1}::${types.get(column)}`
  const isSame = ['tenant_id', 'day', 'last_ms', 'chunk_id'].map((column) => `${column} = ${parameter(column)}`)
  return {
    text: `insert into ${into} (${columns.join(', ')}) select ${columns.map(parameter).join(', ')}
      where not exists (select from ${into} where ${isSame.join(' and ')})`,
    values: columns.map((column) => row[column]),
  }
}
