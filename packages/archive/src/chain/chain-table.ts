import type { Queryable, Step } from '@millrace/database'
import { type ChainId, NO_HASH, type SegmentEntry } from '../segment/entry.js'
import type { ChainObject } from '../segment/segment-file.js'

/** The last entry of a chain. */
export interface ChainHead {
  readonly seq: number
  readonly hash: string
}

/** A segment as PostgreSQL knows it. */
export interface KnownSegment extends ChainId {
  readonly seq: number
  readonly hash: string
  readonly kind: string
  readonly hour: Date
  readonly records: number
  readonly bytes: number
  readonly firstMs: number
  readonly lastMs: number
  readonly labels: readonly string[]
  /** Sequence of the tombstone, for a segment that was deleted. */
  readonly deletedBy: number | undefined
}

export async function readHead(database: Queryable, { tenantId, stream, day }: ChainId): Promise<ChainHead> {
  const { rows } = await database.query<{ seq: bigint; hash: Buffer }>(
    'select seq, hash from archive_chains where tenant_id = $1 and stream = $2 and day = $3',
    [tenantId, stream, day],
  )
  const [row] = rows
  return row === undefined ? { seq: 0, hash: NO_HASH } : { seq: Number(row.seq), hash: row.hash.toString('hex') }
}

/** Moves the head of a chain to its next entry. The fence fails the transaction when another process has moved it. */
export function moveHead({ entry, entryJson, hash }: Pick<ChainObject, 'entry' | 'entryJson' | 'hash'>): Step[] {
  const { tenantId, stream, day, seq, previous } = entry
  const moved =
    seq === 1
      ? `insert into archive_chains (tenant_id, stream, day, seq, hash)
         select $1::integer, $2::text, $3::date, $4::bigint, decode($5, 'hex') where $6::text = repeat('0', 64)
         on conflict do nothing returning 1`
      : `update archive_chains set seq = $4::bigint, hash = decode($5, 'hex'), updated_at = now()
         where tenant_id = $1 and stream = $2 and day = $3::date and seq = $4::bigint - 1 and hash = decode($6, 'hex') returning 1`
  return [
    {
      text: `with moved as (${moved}) select millrace_fence((select count(*) from moved), 1)`,
      values: [tenantId, stream, day, seq, hash, previous],
    },
    ...(entry.type === 'segment' ? [insertSegment(entry, { entryJson, hash })] : []),
  ]
}

function insertSegment(entry: SegmentEntry, { entryJson, hash }: Pick<ChainObject, 'entryJson' | 'hash'>): Step {
  const { tenantId, stream, day, seq, kind, hour, records, bytes, firstMs, lastMs, labels } = entry
  return {
    text: `insert into archive_segments (tenant_id, stream, day, seq, hash, kind, hour, records, bytes, first_ms, last_ms, labels, entry)
      values ($1, $2, $3, $4, decode($5, 'hex'), $6, $7, $8, $9, $10, $11, $12, $13)`,
    values: [
      tenantId,
      stream,
      day,
      seq,
      hash,
      kind,
      `${hour}:00:00Z`,
      records,
      bytes,
      firstMs,
      lastMs,
      [...labels],
      entryJson,
    ],
  }
}

/** The entries of segments, byte for byte. Segments that are not known, or deleted already, are left out. */
export async function readEntryTexts(
  database: Queryable,
  { tenantId, stream, day }: ChainId,
  seqs: readonly number[],
): Promise<string[]> {
  const { rows } = await database.query<{ entry: string }>(
    `select entry from archive_segments where tenant_id = $1 and stream = $2 and day = $3 and seq = any($4::bigint[])
       and deleted_by is null and entry <> '' order by seq`,
    [tenantId, stream, day, [...seqs]],
  )
  return rows.map(({ entry }) => entry)
}

/** Marks segments as deleted by a tombstone. */
export function markDeleted({ tenantId, stream, day }: ChainId, seqs: readonly number[], tombstone: number): Step {
  return {
    text: `update archive_segments set deleted_by = $5 where tenant_id = $1 and stream = $2 and day = $3 and seq = any($4::bigint[])`,
    values: [tenantId, stream, day, [...seqs], tombstone],
  }
}

interface SegmentRow {
  tenant_id: number
  stream: string
  day: string
  seq: bigint
  hash: Buffer
  kind: string
  hour: Date
  records: bigint
  bytes: bigint
  first_ms: bigint
  last_ms: bigint
  labels: string[]
  deleted_by: bigint | null
}

const COLUMNS = 'tenant_id, stream, day, seq, hash, kind, hour, records, bytes, first_ms, last_ms, labels, deleted_by'

/** All segments of a chain, deleted ones included, in order. */
export async function readSegments(database: Queryable, { tenantId, stream, day }: ChainId): Promise<KnownSegment[]> {
  const { rows } = await database.query<SegmentRow>(
    `select ${COLUMNS} from archive_segments where tenant_id = $1 and stream = $2 and day = $3 order by seq`,
    [tenantId, stream, day],
  )
  return rows.map(toSegment)
}

/** Which segments to find: those with records from `fromMs` up to, but not including, `toMs`. */
export interface SegmentRange {
  /** Default: all tenants. */
  readonly tenantId?: number | undefined
  readonly stream: string
  readonly fromMs: number
  readonly toMs: number
}

/** Segments that are not deleted and may have records of the range, by chain and sequence. */
export async function findSegments(database: Queryable, range: SegmentRange): Promise<KnownSegment[]> {
  const { tenantId = null, stream, fromMs, toMs } = range
  const { rows } = await database.query<SegmentRow>(
    `select ${COLUMNS} from archive_segments where stream = $1 and last_ms >= $2 and first_ms < $3 and deleted_by is null
       and ($4::integer is null or tenant_id = $4) order by tenant_id, day, seq`,
    [stream, fromMs, toMs, tenantId],
  )
  return rows.map(toSegment)
}

/** All chains of a stream, or of all streams. */
export async function findChains(
  database: Queryable,
  { stream, tenantId }: { readonly stream?: string | undefined; readonly tenantId?: number | undefined } = {},
): Promise<ChainId[]> {
  const { rows } = await database.query<{ tenant_id: number; stream: string; day: string }>(
    `select tenant_id, stream, day from archive_chains where ($1::text is null or stream = $1) and ($2::integer is null or tenant_id = $2)
     order by 1, 2, 3`,
    [stream ?? null, tenantId ?? null],
  )
  return rows.map(({ tenant_id, stream: name, day }) => ({ tenantId: tenant_id, stream: name, day }))
}

function toSegment(row: SegmentRow): KnownSegment {
  return {
    tenantId: row.tenant_id,
    stream: row.stream,
    day: row.day,
    seq: Number(row.seq),
    hash: row.hash.toString('hex'),
    kind: row.kind,
    hour: row.hour,
    records: Number(row.records),
    bytes: Number(row.bytes),
    firstMs: Number(row.first_ms),
    lastMs: Number(row.last_ms),
    labels: row.labels,
    deletedBy: row.deleted_by === null ? undefined : Number(row.deleted_by),
  }
}
