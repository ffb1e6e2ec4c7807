import { gunzipSync, inflateSync } from 'node:zlib'
import { DecodeFault } from '../../fields/decode-fault.js'

/** Zeros compress 1,000 times; log lines do not reach a tenth of that. */
const INFLATE_RATIO_MAX = 100
/** Messages that are small may have a higher ratio. */
const INFLATE_BYTES_MIN = 65_536

/**
 * The text of a message of GELF, which may be compressed with gzip or zlib.
 * @throws DecodeFault when it cannot be decompressed, or to more than `bytesMax`
 */
export function unpackGelf(bytes: Buffer, bytesMax: number): Buffer {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  // RFC 1950: compression method 8, and the first two bytes are a multiple of 31. A text cannot begin like this.
  const isZlib = bytes.length > 2 && ((bytes[0] as number) & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0
  if (!isGzip && !isZlib) return bytes
  const maxOutputLength = Math.min(bytesMax, Math.max(bytes.length * INFLATE_RATIO_MAX, INFLATE_BYTES_MIN))
  try {
    return isGzip ? gunzipSync(bytes, { maxOutputLength }) : inflateSync(bytes, { maxOutputLength })
  } catch (error) {
    throw new DecodeFault('invalid_record', `a message cannot be decompressed: ${(error as Error).message}`)
  }
}
