/**
 * The payload of a segment of the kind `log-chunks.1`: rows of log_chunks, whatever columns the table has (docs/formats/archive.md). Numbers are
 * little-endian.
 *
 *   u32  rows; for each:
 *   u32  length, and a JSON object with the columns that are not bytes
 *   u16  columns of bytes; for each: u8 length and the name, u32 length and the bytes
 */
export const CHUNKS_KIND = 'log-chunks.1'

/** A row of log_chunks by column. */
export type ChunkRow = Readonly<Record<string, unknown>>

const ROWS_MAX = 1_000_000

export function encodeChunkRows(rows: readonly ChunkRow[]): Buffer {
  const parts: Buffer[] = [u32(rows.length)]
  for (const row of rows) {
    const columns = Object.entries(row)
    const plain = columns.filter(([, value]) => !Buffer.isBuffer(value))
    const bytes = columns.filter(([, value]) => Buffer.isBuffer(value)) as [string, Buffer][]
    const json = Buffer.from(JSON.stringify(Object.fromEntries(plain.map(([name, value]) => [name, toJson(value)]))))
    const count = Buffer.alloc(2)
    count.writeUInt16LE(bytes.length)
    parts.push(u32(json.length), json, count)
    for (const [name, value] of bytes) {
      const text = Buffer.from(name)
      parts.push(Buffer.of(text.length), text, u32(value.length), value)
    }
  }
  return Buffer.concat(parts)
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function toJson(value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value
}

/** Reads what `encodeChunkRows` wrote: bigints and times come as texts. @throws RangeError when the bytes are anything else */
export function decodeChunkRows(payload: Buffer): ChunkRow[] {
  let at = 0
  const take = (bytes: number): Buffer => {
    if (bytes > payload.length - at) throw new RangeError('the chunks of a segment end too early')
    at += bytes
    return payload.subarray(at - bytes, at)
  }
  const count = take(4).readUInt32LE()
  if (count > ROWS_MAX) throw new RangeError(`a segment with ${count} chunks is not possible`)
  const rows: ChunkRow[] = []
  for (let row = 0; row < count; row++) {
    const columns = parse(take(take(4).readUInt32LE()))
    const bytes = take(2).readUInt16LE()
    for (let column = 0; column < bytes; column++) {
      const name = take(take(1).readUInt8()).toString()
      columns[name] = take(take(4).readUInt32LE())
    }
    rows.push(columns)
  }
  if (at !== payload.length) throw new RangeError('bytes follow the last chunk of a segment')
  return rows
}

function parse(json: Buffer): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(json.toString())
  } catch {
    throw new RangeError('the columns of a chunk are not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new RangeError('the columns of a chunk are not an object')
  // No prototype, so that a column can have any name.
  return Object.assign(Object.create(null) as Record<string, unknown>, value)
}
