import { crcOf, decodeColumns, encodeColumns, HEAD_BYTES, MAGIC, sealHead, VERSION } from '../batch/batch-format.js'
import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { GrowingBytes } from '../bytes/growing-bytes.js'
import { CODEC_IDS, type Codec } from '../codecs/codecs.js'
import { columnStoreErrors } from '../column-store-errors.js'
import type { Range } from '../columns/column-appender.js'
import { corruptAs } from '../columns/column-reader.js'
import type { StoredColumn } from '../columns/fit-schema.js'
import { COLUMN_BYTES_MAX, COLUMNS_MAX, ROWS_MAX } from '../limits.js'

export const KIND_CHUNK = 2
/** In the place of the number of a segment. */
const NO_SEGMENT = 0xffff

/** A column of a chunk. */
export interface ChunkColumn extends StoredColumn {
  /** The number of the segment that holds it. */
  readonly segment: number
  /** The number of the segment that holds its variables; undefined when the column has none. */
  readonly extraSegment: number | undefined
  /** Least and greatest value of a column of numbers; milliseconds of a time. Undefined without values and for other types. */
  readonly range: Range | undefined
}

export interface ChunkSegment {
  readonly name: string
  readonly codecId: number
  readonly rawBytes: number
  readonly storedBytes: number
  readonly crc: number
}

/** What a chunk holds, and where. */
export interface ChunkHead {
  readonly rows: number
  readonly columns: readonly ChunkColumn[]
  readonly segments: readonly ChunkSegment[]
  /** Bytes of the head itself. */
  readonly bytes: number
}

/** Writes the head of a chunk. */
export function encodeChunkHead({ rows, columns, segments }: Omit<ChunkHead, 'bytes'>): Buffer {
  const out = new GrowingBytes(1024)
  out.u32(MAGIC)
  out.u8(VERSION)
  out.u8(KIND_CHUNK)
  out.u16(columns.length)
  out.u32(rows)
  out.u32(0)
  out.u32(0)
  encodeColumns(out, columns)
  for (const { segment, extraSegment = NO_SEGMENT, range } of columns) {
    out.u16(segment)
    out.u16(extraSegment)
    out.u8(range === undefined ? 0 : 1)
    if (range === undefined) continue
    out.f64(range.min)
    out.f64(range.max)
  }
  out.u16(segments.length)
  for (const { name, codecId, rawBytes, storedBytes, crc } of segments) {
    out.u8(name.length)
    out.appendString(name)
    out.u8(codecId)
    out.u32(rawBytes)
    out.u32(storedBytes)
    out.u32(crc)
  }
  return sealHead(Buffer.from(out.view()))
}

export function codecIdOf(codec: Codec): number {
  return CODEC_IDS[codec]
}

/**
 * Reads the head of a chunk: of `bytes` only what the head says belongs to it, so that a whole file may be handed in.
 * @throws COLUMN_CHUNK_CORRUPT
 */
export function readChunkHead(bytes: Uint8Array): ChunkHead {
  return corruptAs(columnStoreErrors.COLUMN_CHUNK_CORRUPT, () => decodeHead(bytes))
}

function decodeHead(all: Uint8Array): ChunkHead {
  const start = new ByteReader(all)
  if (start.left < HEAD_BYTES) throw new InvalidBytes('the bytes end inside the head')
  if (start.u32() !== MAGIC) throw new InvalidBytes('the bytes do not begin with the magic')
  const version = start.u8()
  if (version !== VERSION) throw new InvalidBytes(`version ${version} of the format is not known`)
  if (start.u8() !== KIND_CHUNK) throw new InvalidBytes('the bytes are no chunk')
  const count = start.u16()
  const rows = start.u32()
  const length = start.u32()
  const crc = start.u32()
  if (length < HEAD_BYTES || length > all.length) throw new InvalidBytes('the bytes end inside the head')
  const bytes = Buffer.from(all.buffer, all.byteOffset, length)
  if (crc !== crcOf(bytes)) throw new InvalidBytes('the head does not match its checksum')
  if (count > COLUMNS_MAX || rows > ROWS_MAX) throw new InvalidBytes('there are too many rows or columns')
  const reader = new ByteReader(bytes.subarray(HEAD_BYTES))
  const stored = decodeColumns(reader, count)
  const columns = stored.map((column) => ({ ...column, ...decodePlace(reader) }))
  const segments = Array.from({ length: reader.u16() }, () => decodeSegment(reader))
  reader.end()
  for (const { segment, extraSegment } of columns)
    if (segment >= segments.length || (extraSegment ?? 0) >= segments.length)
      throw new InvalidBytes('a column lies in a segment that does not exist')
  return { rows, columns, segments, bytes: length }
}

function decodePlace(reader: ByteReader): Pick<ChunkColumn, 'segment' | 'extraSegment' | 'range'> {
  const segment = reader.u16()
  const extra = reader.u16()
  const form = reader.u8()
  if (form > 1) throw new InvalidBytes('a column has an unknown range')
  const range = form === 0 ? undefined : { min: reader.f64(), max: reader.f64() }
  return { segment, extraSegment: extra === NO_SEGMENT ? undefined : extra, range }
}

function decodeSegment(reader: ByteReader): ChunkSegment {
  const name = reader.bytes(reader.u8()).toString('utf8')
  const codecId = reader.u8()
  const rawBytes = reader.u32()
  const segment = { name, codecId, rawBytes, storedBytes: reader.u32(), crc: reader.u32() }
  if (rawBytes > COLUMN_BYTES_MAX) throw new InvalidBytes(`segment ${name} is too large`)
  return segment
}

/** The names of the segments that hold columns, in their order; each once. Names that the chunk does not have are passed over. */
export function segmentsOf({ columns, segments }: ChunkHead, names: readonly string[]): string[] {
  const wanted = new Set<number>()
  for (const { name, segment, extraSegment } of columns) {
    if (!names.includes(name)) continue
    wanted.add(segment)
    if (extraSegment !== undefined) wanted.add(extraSegment)
  }
  return segments.filter((_, index) => wanted.has(index)).map(({ name }) => name)
}
