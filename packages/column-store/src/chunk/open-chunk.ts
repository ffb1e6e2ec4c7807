import { crc32 } from 'node:zlib'
import { ByteReader, InvalidBytes } from '../bytes/byte-reader.js'
import { decompress } from '../codecs/codecs.js'
import { columnStoreErrors } from '../column-store-errors.js'
import { ColumnReader, corruptAs } from '../columns/column-reader.js'
import { type Column, decodeStoredColumn } from '../columns/columns.js'
import { columnWithoutValues, requireFit, schemaOf } from '../columns/fit-schema.js'
import type { ColumnDefinitions, Schema, SchemaColumn } from '../schema.js'
import { type ChunkColumn, type ChunkHead, readChunkHead } from './chunk-head.js'

const corrupt = columnStoreErrors.COLUMN_CHUNK_CORRUPT

/**
 * Opens a chunk of which at least the segments of the wanted columns were read (`segmentsOf` names them). A segment is checked and decompressed when
 * the first of its columns is asked for.
 * @throws COLUMN_CHUNK_CORRUPT when the head is not valid
 * @throws COLUMN_SCHEMA_MISMATCH when the columns are not those of the schema
 */
export function openChunk<D extends ColumnDefinitions>(
  schema: Schema<D>,
  head: Uint8Array,
  segments: Readonly<Record<string, Uint8Array>>,
): ColumnReader<D> {
  const parsed = readChunkHead(head)
  requireFit(schema, parsed.columns)
  const opened = new OpenSegments(parsed, segments)
  const decode = (column: SchemaColumn) => decodeFrom(opened, column)
  return new ColumnReader(schema, { rows: parsed.rows, decode, corrupt })
}

/**
 * Opens a chunk file: a head and all segments, one behind the other. The schema is made from the head.
 * @throws COLUMN_CHUNK_CORRUPT
 */
export function openChunkFile(bytes: Uint8Array): ColumnReader<ColumnDefinitions> {
  const head = readChunkHead(bytes)
  const segments: Record<string, Uint8Array> = {}
  let start = head.bytes
  for (const { name, storedBytes } of head.segments) {
    segments[name] = bytes.subarray(start, start + storedBytes)
    start += storedBytes
  }
  if (start !== bytes.length)
    throw corrupt({ message: `the file has ${bytes.length} bytes where its head says ${start}` })
  return openChunk(
    corruptAs(corrupt, () => schemaOf(head.columns)),
    bytes,
    segments,
  )
}

/** Decompresses each segment once, and finds the blocks of its columns. */
class OpenSegments {
  readonly head: ChunkHead
  readonly #given: Readonly<Record<string, Uint8Array>>
  readonly #blocks = new Map<number, ReadonlyMap<string, Buffer>>()

  constructor(head: ChunkHead, given: Readonly<Record<string, Uint8Array>>) {
    this.head = head
    this.#given = given
  }

  /** The bytes of a column in a segment. @throws InvalidBytes @throws COLUMN_SEGMENT_MISSING */
  block(segment: number, column: string): Buffer {
    let blocks = this.#blocks.get(segment)
    if (blocks === undefined) {
      blocks = this.#open(segment)
      this.#blocks.set(segment, blocks)
    }
    const block = blocks.get(column)
    if (block === undefined) throw new InvalidBytes(`segment ${segment} has no column ${column}`)
    return block
  }

  #open(index: number): ReadonlyMap<string, Buffer> {
    const segment = this.head.segments[index]
    if (segment === undefined) throw new InvalidBytes(`there is no segment ${index}`)
    const bytes = Object.hasOwn(this.#given, segment.name) ? this.#given[segment.name] : undefined
    if (bytes === undefined)
      throw columnStoreErrors.COLUMN_SEGMENT_MISSING({ message: `segment ${segment.name} was not handed in` })
    if (bytes.length !== segment.storedBytes || crc32(bytes) !== segment.crc)
      throw new InvalidBytes(`segment ${segment.name} does not match its checksum`)
    const stored = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const reader = new ByteReader(decompress(segment.codecId, stored, segment.rawBytes))
    const blocks = new Map<string, Buffer>()
    for (const { name, ...column } of this.head.columns)
      if (column.segment === index || column.extraSegment === index) blocks.set(name, reader.counted())
    reader.end()
    return blocks
  }
}

function decodeFrom(opened: OpenSegments, column: SchemaColumn): Column {
  const { rows, columns } = opened.head
  const stored = columns.find(({ name }) => name === column.name)
  if (stored === undefined) return columnWithoutValues(column, rows)
  return decodeStoredColumn(opened.block(stored.segment, column.name), column, {
    rows,
    extra: () => extraBlock(opened, stored),
    guard: (decode) => corruptAs(corrupt, decode),
  })
}

function extraBlock(opened: OpenSegments, { name, extraSegment }: ChunkColumn): Buffer {
  return extraSegment === undefined ? Buffer.alloc(0) : opened.block(extraSegment, name)
}
