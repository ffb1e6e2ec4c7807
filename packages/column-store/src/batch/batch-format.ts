import { crc32 } from 'node:zlib'
import type { ByteReader } from '../bytes/byte-reader.js'
import { InvalidBytes } from '../bytes/byte-reader.js'
import type { GrowingBytes } from '../bytes/growing-bytes.js'
import type { StoredColumn } from '../columns/fit-schema.js'
import { COLUMN_TYPE_IDS, type ColumnType, HEX_BYTES_MAX, UUID_BYTES } from '../schema.js'

/** "MCOL": what batches and chunks begin with. */
export const MAGIC = 0x4c4f434d
export const VERSION = 1
export const KIND_BATCH = 1
/** Where the kind lies in the head. */
export const KIND_AT = 5

/** Magic u32, version u8, kind u8, columns u16, rows u32, length of all bytes u32, CRC-32 of all other bytes u32. */
export const HEAD_BYTES = 20
const LENGTH_AT = 12
const CRC_AT = 16

const FLAG_OPTIONAL = 1
const TYPE_NAMES = new Map<number, ColumnType>(
  Object.entries(COLUMN_TYPE_IDS).map(([name, id]) => [id, name as ColumnType]),
)

/** Writes the columns of a schema, so that the bytes can be read without it. */
export function encodeColumns(out: GrowingBytes, columns: readonly StoredColumn[]): void {
  for (const { name, type, optional, width } of columns) {
    out.u8(COLUMN_TYPE_IDS[type])
    out.u8(optional ? FLAG_OPTIONAL : 0)
    out.u8(width)
    out.u8(name.length)
    out.appendString(name)
  }
}

/** @throws InvalidBytes */
export function decodeColumns(reader: ByteReader, count: number): StoredColumn[] {
  return Array.from({ length: count }, () => {
    const type = TYPE_NAMES.get(reader.u8())
    if (type === undefined) throw new InvalidBytes('a column has an unknown type')
    const flags = reader.u8()
    if (flags > FLAG_OPTIONAL) throw new InvalidBytes('a column has unknown flags')
    const width = reader.u8()
    if (!isWidthOf(type, width)) throw new InvalidBytes('a column has values of another width than its type')
    const name = reader.bytes(reader.u8()).toString('utf8')
    return { name, type, optional: flags === FLAG_OPTIONAL, width }
  })
}

function isWidthOf(type: ColumnType, width: number): boolean {
  if (type === 'hex') return width > 0 && width <= HEX_BYTES_MAX
  return width === (type === 'uuid' ? UUID_BYTES : 0)
}

/** CRC-32 of all bytes but the checksum itself. */
export function crcOf(bytes: Buffer): number {
  return crc32(bytes.subarray(HEAD_BYTES), crc32(bytes.subarray(0, CRC_AT)))
}

/** Fills in the length and the checksum of a batch or of the head of a chunk. */
export function sealHead(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(bytes.length, LENGTH_AT)
  bytes.writeUInt32LE(crcOf(bytes), CRC_AT)
  return bytes
}
