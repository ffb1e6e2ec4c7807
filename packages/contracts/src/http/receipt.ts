import { coreErrors } from '../errors/core-errors.js'

/** Records of one request in one frame. */
export interface ReceiptFrameRange {
  partition: number
  sequence: number
  /** Index in the frame of the first record of the request. */
  first: number
  records: number
}

/** Names the frames that hold the records of one accepted request. It is not a secret: only callers of the same tenant may resolve it. */
export interface Receipt {
  tenantId: number
  /** The producer id: UUID of one run of a producer process. */
  producer: string
  frames: readonly ReceiptFrameRange[]
}

const VERSION = 1
const PRODUCER_BYTES = 16
/** Longest receipt as bytes: version, tenant, producer, and four varints of at most 8 bytes per frame. */
const FRAME_BYTES_MAX = 4 * 8
/** A request has records in at most this many frames; a receipt with more did not come from us. */
const FRAMES_MAX = 4096

/** The receipt as base64url text: version, tenant and producer, then partition, sequence, first and records of each frame as varints. */
export function encodeReceipt(receipt: Receipt): string {
  const out = Buffer.allocUnsafe(1 + 8 + PRODUCER_BYTES + receipt.frames.length * FRAME_BYTES_MAX)
  out[0] = VERSION
  let at = writeVarint(out, receipt.tenantId, 1)
  at += out.write(receipt.producer.replaceAll('-', ''), at, 'hex')
  for (const frame of receipt.frames) {
    at = writeVarint(out, frame.partition, at)
    at = writeVarint(out, frame.sequence, at)
    at = writeVarint(out, frame.first, at)
    at = writeVarint(out, frame.records, at)
  }
  return out.toString('base64url', 0, at)
}

/** The receipt in `text`. @throws INVALID_REQUEST when it is not a receipt */
export function decodeReceipt(text: string): Receipt {
  const bytes = /^[\w-]+$/.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(0)
  if (bytes[0] !== VERSION) throw malformed()
  const read = { bytes, at: 1 }
  const tenantId = readVarint(read)
  const hex = bytes.toString('hex', read.at, read.at + PRODUCER_BYTES)
  read.at += PRODUCER_BYTES
  if (hex.length !== 2 * PRODUCER_BYTES) throw malformed()
  const frames: ReceiptFrameRange[] = []
  while (read.at < bytes.length) {
    if (frames.length === FRAMES_MAX) throw malformed()
    const [partition, sequence] = [readVarint(read), readVarint(read)]
    frames.push({ partition, sequence, first: readVarint(read), records: readVarint(read) })
  }
  return { tenantId, producer: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'), frames }
}

function malformed(): Error {
  return coreErrors.INVALID_REQUEST({ message: 'the text is not a receipt' })
}

function writeVarint(out: Buffer, value: number, start: number): number {
  let rest = value
  let at = start
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[at++] = (rest % 0x80) | 0x80
  out[at++] = rest
  return at
}

function readVarint(read: { bytes: Buffer; at: number }): number {
  let value = 0
  for (let weight = 1; weight <= 2 ** 49; weight *= 0x80) {
    const byte = read.bytes[read.at++]
    if (byte === undefined) throw malformed()
    value += (byte & 0x7f) * weight
    if (byte < 0x80) {
      if (!Number.isSafeInteger(value)) throw malformed()
      return value
    }
  }
  throw malformed()
}
