import { blocksFor, type Chunk, createFilter } from '@millrace/column-store'

/** A row of log_chunks, as the bytes that COPY takes. */
export interface ChunkRow {
  readonly tenantId: number
  /** Start of the UTC day of its partition, ms since 1970. */
  readonly dayMs: number
  readonly lines: number
  /** One tuple in the binary format of COPY, with the fields of `CHUNK_ROW_COLUMNS`. */
  readonly tuple: Uint8Array
}

/** The column of log_chunks that holds a segment. */
export const SEGMENT_COLUMNS: Readonly<Record<string, string>> = {
  time: 'seg_time',
  meta: 'seg_meta',
  place: 'seg_place',
  trace: 'seg_trace',
  span: 'seg_span',
  message: 'seg_message',
  'message.variables': 'seg_message_variables',
  attributes: 'seg_attributes',
}

const SEGMENTS = Object.keys(SEGMENT_COLUMNS)

export const CHUNK_ROW_COLUMNS = [
  'tenant_id',
  'day',
  'first_ms',
  'last_ms',
  'lines',
  'levels',
  'services',
  'minutes',
  'data',
  'head',
  'filter',
  ...Object.values(SEGMENT_COLUMNS),
]

/** What the row of a chunk says of its lines. */
export interface ChunkSummary {
  readonly tenantId: number
  readonly dayMs: number
  readonly firstMs: number
  readonly lastMs: number
  readonly lines: number
  /** A bit for each level that occurs, by `levelIndex`. */
  readonly levels: number
  readonly services: readonly string[]
  /** See level-minutes.ts. */
  readonly minutes: Buffer
}

/** A chunk of the column store, or, when that could not be built, the lines in the form of older chunks. */
export type ChunkContent = Chunk | { readonly data: Buffer }

export function toChunkRow(summary: ChunkSummary, content: ChunkContent): ChunkRow {
  const { tenantId, dayMs, firstMs, lastMs, lines, levels, services, minutes } = summary
  const fields = [
    int4(tenantId),
    int8(BigInt(dayMs - POSTGRES_EPOCH_MS) * 1000n),
    int8(BigInt(firstMs)),
    int8(BigInt(lastMs)),
    int4(lines),
    int2(levels),
    textArray(services),
    minutes,
    ...contentFields(content),
  ]
  return { tenantId, dayMs, lines, tuple: tupleOf(fields) }
}

function contentFields(content: ChunkContent): (Buffer | null)[] {
  if ('data' in content) return [content.data, null, null, ...SEGMENTS.map(() => null)]
  const { head, tokens, segments } = content
  const unknown = segments.find(({ name }) => SEGMENT_COLUMNS[name] === undefined)
  if (unknown !== undefined) throw new Error(`log_chunks has no column for the segment ${unknown.name}`)
  return [
    null,
    head,
    createFilter(tokens, filterBlocks(tokens.length)),
    ...SEGMENTS.map((name) => segments.find((segment) => segment.name === name)?.bytes ?? null),
  ]
}

const GROWTH = 1.25

/**
 * How many blocks the filter of a chunk has: one of few sizes, each a quarter larger than the one below, so that many chunks have filters of equal length, which
 * can be put into a group.
 */
export function filterBlocks(tokens: number): number {
  const needed = blocksFor(tokens)
  let blocks = 1
  while (blocks < needed) blocks = Math.ceil(blocks * GROWTH)
  return blocks
}

const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1)
const TEXT_OID = 25

function int2(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int4(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}

function int8(value: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(value)
  return bytes
}

/** One dimension, no nulls, and the OID of the elements; then length and lower bound of the dimension. */
function textArray(values: readonly string[]): Buffer {
  const head = values.length === 0 ? [0, 0, TEXT_OID] : [1, 0, TEXT_OID, values.length, 1]
  const elements = values.map((value) => Buffer.from(value)).flatMap((bytes) => [int4(bytes.length), bytes])
  return Buffer.concat([...head.map(int4), ...elements])
}

/** A buffer of its own, which can be handed to another thread. */
function tupleOf(fields: readonly (Buffer | null)[]): Uint8Array {
  const tuple = new Uint8Array(fields.reduce((sum, field) => sum + 4 + (field?.length ?? 0), 2))
  const view = new DataView(tuple.buffer)
  view.setInt16(0, fields.length)
  let at = 2
  for (const field of fields) {
    view.setInt32(at, field?.length ?? -1)
    at += 4
    if (field === null) continue
    tuple.set(field, at)
    at += field.length
  }
  return tuple
}
