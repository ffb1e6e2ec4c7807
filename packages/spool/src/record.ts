import { crc32 } from 'node:zlib'

/** A record in a segment file: u32 bytes of the body, u32 CRC-32 of the body, the body as the codec encodes it. Little-endian. */
const HEADER_BYTES = 8
/** Far more than any record has: a greater length is damage, and must not make the reader allocate. */
const BODY_BYTES_MAX = 256 * 1024 * 1024

/** Returns the header and the parts of the body apart, so that large records are not copied on their way to the disk. */
export function encodeRecord(body: readonly Buffer[]): Buffer[] {
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  header.writeUInt32LE(bytesOf(body), 0)
  header.writeUInt32LE(
    body.reduce((crc, part) => crc32(part, crc), 0),
    4,
  )
  return [header, ...body]
}

/** @throws RangeError for a body that could not be read again. */
export function recordBytes(body: readonly Buffer[]): number {
  const bytes = bytesOf(body)
  if (bytes === 0 || bytes > BODY_BYTES_MAX)
    throw new RangeError(`a record of a spool has 1 to ${BODY_BYTES_MAX} bytes, not ${bytes}`)
  return HEADER_BYTES + bytes
}

export type ReadRecord =
  | { readonly kind: 'record'; readonly body: Buffer; readonly end: number }
  /** The buffer ends too early: the record needs `bytes` from its start. */
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'damaged' }

/** The record that begins at `start`. The body is a view of `bytes`. */
export function readRecord(bytes: Buffer, start: number): ReadRecord {
  if (bytes.length - start < HEADER_BYTES) return { kind: 'short', bytes: HEADER_BYTES }
  const length = bytes.readUInt32LE(start)
  // Zeros that a crash left behind would otherwise be empty records with a correct checksum.
  if (length === 0 || length > BODY_BYTES_MAX) return { kind: 'damaged' }
  const end = start + HEADER_BYTES + length
  if (end > bytes.length) return { kind: 'short', bytes: end - start }
  const body = bytes.subarray(start + HEADER_BYTES, end)
  if (crc32(body) !== bytes.readUInt32LE(start + 4)) return { kind: 'damaged' }
  return { kind: 'record', body, end }
}

function bytesOf(parts: readonly Buffer[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0)
}
