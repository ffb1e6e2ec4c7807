import {
  brotliDecompress,
  brotliDecompressSync,
  gunzip,
  gunzipSync,
  type InputType,
  inflate,
  inflateRaw,
  inflateRawSync,
  inflateSync,
} from 'node:zlib'
import { errors } from '../errors.js'

type Callback = (error: Error | null, result: Buffer) => void
interface Codec {
  sync(input: InputType, options: { maxOutputLength: number }): Buffer
  async(input: InputType, options: { maxOutputLength: number }, callback: Callback): void
}

const deflate: Codec = { sync: inflateSync, async: inflate }
/** Some clients send deflate without the zlib header that the name asks for. */
const rawDeflate: Codec = { sync: inflateRawSync, async: inflateRaw }
const codecs: Readonly<Record<string, Codec>> = {
  gzip: { sync: gunzipSync, async: gunzip },
  'x-gzip': { sync: gunzipSync, async: gunzip },
  deflate,
  br: { sync: brotliDecompressSync, async: brotliDecompress },
}

/** Up to so many compressed bytes the thread pool's hand-over costs more than the work. */
const SYNC_BYTES_MAX = 64 * 1024

/** Whether bodies of this Content-Encoding are understood. */
export function isKnownEncoding(encoding: string): boolean {
  return Object.hasOwn(codecs, encoding.toLowerCase())
}

/**
 * The plain bytes of a compressed body: at once where it is small, else a promise. At most `bytesMax` are ever produced, whatever the
 * input claims or does. Throws or rejects with BODY_TOO_LARGE or CORRUPT_ENCODING.
 */
export function decompress(body: Buffer, encoding: string, bytesMax: number): Buffer | Promise<Buffer> {
  const codec = pickCodec(body, encoding.toLowerCase())
  const options = { maxOutputLength: bytesMax }
  if (body.length > SYNC_BYTES_MAX) {
    return new Promise((resolve, reject) => {
      codec.async(body, options, (error, result) =>
        error === null ? resolve(result) : reject(toError(error, bytesMax)),
      )
    })
  }
  try {
    return codec.sync(body, options)
  } catch (error) {
    throw toError(error, bytesMax)
  }
}

function pickCodec(body: Buffer, encoding: string): Codec {
  const codec = codecs[encoding]
  if (codec === undefined) throw errors.UNSUPPORTED_ENCODING()
  return codec === deflate && !hasZlibHeader(body) ? rawDeflate : codec
}

/** RFC 1950, section 2.2: method 8 in the low nibble, and a multiple of 31. */
function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] as number) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0
}

function toError(error: unknown, bytesMax: number): Error {
  if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(bytesMax)
  return errors.CORRUPT_ENCODING({ cause: error })
}

/** The error for a body over its limit. */
export function tooLarge(bytesMax: number): Error {
  return errors.BODY_TOO_LARGE({
    message: `the body is over ${bytesMax} bytes, decompressed`,
    details: { limit_bytes: bytesMax },
  })
}
