import { crc32 } from 'node:zlib'
import { compressSync, uncompressSync } from 'lz4-napi'
import { streamErrors } from '../errors.js'

/**
 * A frame is the unit on the stream: many records of one partition. Little-endian.
 *
 *    0  4  magic "MRF1"              24  u64 sequence, from 1 by producer and partition
 *    4  u8  version (1)              32  u32 records
 *    5  u8  codec (0 none, 1 lz4)    36  u64 records of this producer and partition so far, this frame included
 *    6  u16 flags                    44  f64, f64 first and last event time, ms since 1970
 *    8  16 bytes producer id         60  u32 raw bytes, u32 CRC-32 of the payload as stored; at 68 the payload
 *
 * With the flag `traced`, a u16 length and traceparents of that length (ASCII, separated by line feeds) come at 68, and the payload follows them.
 * https://www.w3.org/TR/trace-context/#traceparent-header
 * An lz4 payload is a u32 with its raw size, then a block, as lz4_flex writes it.
 */
export const FRAME_HEADER_BYTES = 68

/** Payloads up to this size are stored uncompressed. */
export const COMPRESS_ABOVE_BYTES = 1024

/** Bits of the flags in a frame's header. */
export const FRAME_FLAG = {
  /** The records are replayed dead letters: figures that counted them when they first came do not count them again. */
  replay: 1,
  /** Traceparents come between header and payload; `encodeFrame` sets the flag. */
  traced: 2,
} as const

/** A frame holds the traceparents of at most this many requests, the first ones. */
export const FRAME_TRACES_MAX = 8

const MAGIC = 0x3146_524d
const VERSION = 1
const CODEC_NONE = 0
const CODEC_LZ4 = 1

/** The header of a frame, decoded. */
export interface FrameHeader {
  /** UUID in lower case. */
  readonly producer: string
  readonly sequence: number
  readonly flags: number
  readonly records: number
  /** Records of this producer and partition up to and including this frame. */
  readonly cumulativeRecords: number
  /** Earliest and latest event time; infinite when the frame has no records. */
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  /** Size of the payload before compression. */
  readonly rawBytes: number
}

/** What a frame is made of. */
export interface FrameToEncode {
  /** The UUID's 16 bytes. */
  readonly producer: Buffer
  readonly sequence: number
  readonly flags: number
  readonly records: number
  readonly cumulativeRecords: number
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  readonly payload: Buffer
  /** Traceparents of requests whose records are in the payload; the first FRAME_TRACES_MAX go into the frame. */
  readonly traces?: readonly string[] | undefined
}

/** Returns header and payload in one buffer. The payload is compressed if it is over 1 KiB and compression makes it smaller. */
export function encodeFrame(frame: FrameToEncode): Buffer {
  const { payload } = frame
  const packed = payload.length > COMPRESS_ABOVE_BYTES ? compressSync(payload) : payload
  const isSmaller = packed.length < payload.length
  const stored = isSmaller ? packed : payload
  const traces = frame.traces?.slice(0, FRAME_TRACES_MAX).join('\n') ?? ''
  const payloadOffset = traces === '' ? FRAME_HEADER_BYTES : FRAME_HEADER_BYTES + 2 + traces.length
  const out = Buffer.allocUnsafe(payloadOffset + stored.length)
  out.writeUInt32LE(MAGIC, 0)
  out[4] = VERSION
  out[5] = isSmaller ? CODEC_LZ4 : CODEC_NONE
  out.writeUInt16LE(traces === '' ? frame.flags : frame.flags | FRAME_FLAG.traced, 6)
  frame.producer.copy(out, 8, 0, 16)
  writeCount(out, frame.sequence, 24)
  out.writeUInt32LE(frame.records, 32)
  writeCount(out, frame.cumulativeRecords, 36)
  out.writeDoubleLE(frame.firstTimeMs, 44)
  out.writeDoubleLE(frame.lastTimeMs, 52)
  out.writeUInt32LE(payload.length, 60)
  out.writeUInt32LE(crc32(stored), 64)
  if (traces !== '') {
    out.writeUInt16LE(traces.length, FRAME_HEADER_BYTES)
    out.write(traces, FRAME_HEADER_BYTES + 2, 'latin1')
  }
  stored.copy(out, payloadOffset)
  return out
}

/**
 * Decodes only the header: cheap, and enough to recognise a frame that was seen before.
 * @throws FRAME_CORRUPT for bytes that are not a frame, an unknown version or a frame that ends inside its header.
 */
export function decodeFrameHeader(bytes: Buffer): FrameHeader {
  if (bytes.length < FRAME_HEADER_BYTES) throw corrupt(`the frame ends after ${bytes.length} bytes, inside its header`)
  if (bytes.readUInt32LE(0) !== MAGIC) throw corrupt('the bytes do not begin with the magic of a frame')
  if (bytes[4] !== VERSION) throw corrupt(`version ${bytes[4]} of the frame format is not known`)
  return {
    producer: formatProducerId(bytes, 8),
    sequence: readCount(bytes, 24),
    flags: bytes.readUInt16LE(6),
    records: bytes.readUInt32LE(32),
    cumulativeRecords: readCount(bytes, 36),
    firstTimeMs: bytes.readDoubleLE(44),
    lastTimeMs: bytes.readDoubleLE(52),
    rawBytes: bytes.readUInt32LE(60),
  }
}

/** The decompressed payload. @throws FRAME_CORRUPT when it does not match its checksum. */
export function decodeFramePayload(bytes: Buffer, rawBytes: number): Buffer {
  const stored = bytes.subarray(payloadOffsetOf(bytes))
  if (crc32(stored) !== bytes.readUInt32LE(64)) throw corrupt('the payload does not match its checksum')
  const payload = unpack(stored, bytes[5] as number, rawBytes)
  if (payload.length !== rawBytes)
    throw corrupt(`the payload has ${payload.length} bytes where the header says ${rawBytes}`)
  return payload
}

/** The traceparents in a frame; undefined when there are none. The checksum does not cover them, so validate them before use. @throws FRAME_CORRUPT */
export function decodeFrameTraces(bytes: Buffer): readonly string[] | undefined {
  const payloadOffset = payloadOffsetOf(bytes)
  if (payloadOffset === FRAME_HEADER_BYTES) return undefined
  return bytes.toString('latin1', FRAME_HEADER_BYTES + 2, payloadOffset).split('\n', FRAME_TRACES_MAX)
}

/** @throws FRAME_CORRUPT */
export function decodeFrame(bytes: Buffer): { header: FrameHeader; payload: Buffer } {
  const header = decodeFrameHeader(bytes)
  return { header, payload: decodeFramePayload(bytes, header.rawBytes) }
}

function payloadOffsetOf(bytes: Buffer): number {
  if ((bytes.readUInt16LE(6) & FRAME_FLAG.traced) === 0) return FRAME_HEADER_BYTES
  const start = FRAME_HEADER_BYTES + 2
  const offset = bytes.length < start ? start : start + bytes.readUInt16LE(FRAME_HEADER_BYTES)
  if (offset > bytes.length) throw corrupt('the frame ends inside its traceparents')
  return offset
}

function unpack(stored: Buffer, codec: number, rawBytes: number): Buffer {
  if (codec === CODEC_NONE) return stored
  if (codec !== CODEC_LZ4) throw corrupt(`codec ${codec} is not known`)
  // The size before the block decides how much memory is allocated, so it is checked first.
  if (stored.length < 4 || stored.readUInt32LE(0) !== rawBytes) throw corrupt('the sizes in header and payload differ')
  try {
    return uncompressSync(stored)
  } catch (cause) {
    throw streamErrors.FRAME_CORRUPT({ message: 'the payload cannot be decompressed', cause })
  }
}

/** The UUID in the 16 bytes at `offset`, as text. */
export function formatProducerId(bytes: Buffer, offset = 0): string {
  const hex = bytes.toString('hex', offset, offset + 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The 16 bytes of a UUID. Throws for any other text. */
export function parseProducerId(uuid: string): Buffer {
  const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex')
  if (bytes.length !== 16) throw streamErrors.FRAME_CORRUPT({ message: 'the producer id is not a UUID' })
  return bytes
}

/** Writes a safe integer as u64, without the cost of a BigInt. */
function writeCount(out: Buffer, count: number, offset: number): void {
  out.writeUInt32LE(count >>> 0, offset)
  out.writeUInt32LE(Math.floor(count / 0x1_0000_0000), offset + 4)
}

function readCount(bytes: Buffer, offset: number): number {
  const count = bytes.readUInt32LE(offset + 4) * 0x1_0000_0000 + bytes.readUInt32LE(offset)
  if (!Number.isSafeInteger(count)) throw corrupt('a count in the header is out of range')
  return count
}

function corrupt(message: string) {
  return streamErrors.FRAME_CORRUPT({ message })
}
