import type { LogLine } from '../lib/log-corpus.js'
import { placeholderOf } from './line-times.js'
import type { PreparedBody } from './prepared-body.js'

const EVENT_TIME = placeholderOf('event-time')
const TAG = 'app'

/** Entries of a PackedForward message: `[EventTime, record]` one after the other. */
export function encodeForward(lines: readonly LogLine[]): PreparedBody {
  const times: number[] = []
  const parts: Buffer[] = []
  let length = 0
  for (const line of lines) {
    const head = Buffer.from([0x92, 0xd7, 0x00])
    times.push(length + head.length)
    const entry = Buffer.concat([head, EVENT_TIME, packRecord(line)])
    parts.push(entry)
    length += entry.length
  }
  return { bytes: Buffer.concat(parts), times: Uint32Array.from(times) }
}

/** A message in the mode PackedForward without its entries: what stands before them, and the options after them with the name of the chunk. */
export function frameForward({ lines, bytes }: { lines: number; bytes: number }, chunk: string) {
  const length = Buffer.alloc(5)
  length[0] = 0xc6
  length.writeUInt32BE(bytes, 1)
  return {
    before: Buffer.concat([Buffer.from([0x93]), packText(TAG), length]),
    after: Buffer.concat([
      Buffer.from([0x82]),
      packText('size'),
      packNumber(lines),
      packText('chunk'),
      packText(chunk),
    ]),
  }
}

/** The answer to a message with this chunk. */
export function forwardAck(chunk: string): Buffer {
  return Buffer.concat([Buffer.from([0x81]), packText('ack'), packText(chunk)])
}

function packRecord({ level, service, host, message, traceId, spanId, ...fields }: LogLine): Buffer {
  const { userId, requestId, httpStatus, durationMs } = fields
  const texts = { level, service, host, msg: message, trace_id: traceId, span_id: spanId }
  const all = { ...texts, user_id: userId, request_id: requestId }
  const pairs = Object.entries(all).flatMap(([name, value]) => (value === '' ? [] : [packText(name), packText(value)]))
  if (httpStatus !== '') {
    pairs.push(packText('http.status'), packNumber(Number(httpStatus)))
    pairs.push(packText('duration_ms'), packDouble(Number(durationMs)))
  }
  return Buffer.concat([Buffer.from([0x80 | (pairs.length / 2)]), ...pairs])
}

function packText(text: string): Buffer {
  const bytes = Buffer.from(text)
  if (bytes.length < 32) return Buffer.concat([Buffer.from([0xa0 | bytes.length]), bytes])
  if (bytes.length < 256) return Buffer.concat([Buffer.from([0xd9, bytes.length]), bytes])
  return Buffer.concat([Buffer.from([0xda, bytes.length >> 8, bytes.length & 255]), bytes])
}

function packNumber(value: number): Buffer {
  if (value < 128) return Buffer.from([value])
  return Buffer.from([0xcd, value >> 8, value & 255])
}

function packDouble(value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = 0xcb
  bytes.writeDoubleBE(value, 1)
  return bytes
}
