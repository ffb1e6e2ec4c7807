import { crc32 } from 'node:zlib'
import type { FrameToAppend } from '../driver/stream-driver.js'

/** A record of a segment file: u32 bytes of the body, u32 CRC-32 of the body; the body is u16 partition and the frame. Little-endian. */
export const RECORD_HEADER_BYTES = 8
const PARTITION_BYTES = 2
/** No frame is near it: a length above it is damage, and must not make anybody allocate. */
const BODY_BYTES_MAX = 256 * 1024 * 1024

export function recordBytes(frame: Buffer): number {
  return RECORD_HEADER_BYTES + PARTITION_BYTES + frame.length
}

/** Header and frame apart, so that the frame is not copied on its way to the disk. */
export function encodeRecord({ partition, frame }: FrameToAppend): [Buffer, Buffer] {
  const head = Buffer.allocUnsafe(RECORD_HEADER_BYTES + PARTITION_BYTES)
  head.writeUInt32LE(PARTITION_BYTES + frame.length, 0)
  head.writeUInt16LE(partition, RECORD_HEADER_BYTES)
  head.writeUInt32LE(crc32(frame, crc32(head.subarray(RECORD_HEADER_BYTES))), 4)
  return [head, frame]
}

export type ReadRecord =
  | { readonly kind: 'record'; readonly record: FrameToAppend; readonly end: number }
  /** More bytes are needed: up to `bytes` from the start of the record. */
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'damaged' }

/** The record that begins at `start`. The frame is a view of `bytes`. */
export function readRecord(bytes: Buffer, start: number): ReadRecord {
  if (bytes.length - start < RECORD_HEADER_BYTES) return { kind: 'short', bytes: RECORD_HEADER_BYTES }
  const length = bytes.readUInt32LE(start)
  if (length < PARTITION_BYTES || length > BODY_BYTES_MAX) return { kind: 'damaged' }
  const end = start + RECORD_HEADER_BYTES + length
  if (end > bytes.length) return { kind: 'short', bytes: end - start }
  const body = bytes.subarray(start + RECORD_HEADER_BYTES, end)
  if (crc32(body) !== bytes.readUInt32LE(start + 4)) return { kind: 'damaged' }
  return { kind: 'record', record: { partition: body.readUInt16LE(0), frame: body.subarray(PARTITION_BYTES) }, end }
}
