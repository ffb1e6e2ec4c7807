import * as zlib from 'node:zlib'
import { intakeErrors } from './errors.js'

type Callback = (error: Error | null, result: Buffer) => void
interface Codec {
  sync(input: zlib.InputType, options: { maxOutputLength: number }): Buffer
  async(input: zlib.InputType, options: { maxOutputLength: number }, callback: Callback): void
}

export type ContentEncoding = 'gzip' | 'deflate' | 'br' | 'zstd'

/** Node has zstd since 22.15, and the types of the oldest supported version know nothing of it. */
const { zstdDecompress, zstdDecompressSync } = zlib as unknown as {
  readonly zstdDecompress?: Codec['async']
  readonly zstdDecompressSync?: Codec['sync']
}

const codecs: Readonly<Partial<Record<ContentEncoding, Codec>>> = {
  gzip: { sync: zlib.gunzipSync, async: zlib.gunzip },
  deflate: { sync: zlib.inflateSync, async: zlib.inflate },
  br: { sync: zlib.brotliDecompressSync, async: zlib.brotliDecompress },
  ...(zstdDecompress && zstdDecompressSync && { zstd: { sync: zstdDecompressSync, async: zstdDecompress } }),
}
/** Some clients send deflate without the zlib header that the standard requires. */
const rawDeflate: Codec = { sync: zlib.inflateRawSync, async: zlib.inflateRaw }

/** The compression methods that the intake can undo: gzip, deflate, br, and zstd where Node has it. */
export const CONTENT_ENCODINGS = Object.keys(codecs) as readonly ContentEncoding[]

/** A body that unpacks to less needs no limit of its ratio. */
const INFLATE_BYTES_MIN = 1_048_576
/** For bodies up to this size, handing them to the thread pool takes longer than decompressing them here. */
const SYNC_BYTES_MAX = 64 * 1024

/**
 * The compression that a Content-Encoding header names, in any case; undefined when the body is not compressed.
 * @throws UNSUPPORTED_ENCODING when `accepted` does not contain it
 */
export function readContentEncoding(
  header: string | undefined,
  accepted: readonly ContentEncoding[],
): ContentEncoding | undefined {
  if (header === undefined) return undefined
  const name = header.trim().toLowerCase()
  if (name === '' || name === 'identity') return undefined
  const encoding = accepted.find((one) => one === name || (one === 'gzip' && name === 'x-gzip'))
  if (encoding === undefined)
    throw intakeErrors.UNSUPPORTED_ENCODING({
      message: `the content encoding is not one of ${accepted.join(', ')}`,
      details: { supported: accepted },
    })
  return encoding
}

/**
 * The decompressed body: at once when it is small, else as a promise. Never produces more bytes than `limit` allows, whatever the input claims.
 * @throws BODY_TOO_LARGE or CORRUPT_ENCODING; at once or by rejecting, so await it inside a try
 */
export function decompress(body: Buffer, encoding: ContentEncoding, limit: BodyLimit): Buffer | Promise<Buffer> {
  const codec = encoding === 'deflate' && !hasZlibHeader(body) ? rawDeflate : codecs[encoding]
  if (codec === undefined) throw new Error(`${encoding} is not one of CONTENT_ENCODINGS`)
  const options = { maxOutputLength: Math.min(limit.bodyBytesMax, ratioBytesMax(body, limit)) }
  if (body.length > SYNC_BYTES_MAX) {
    return new Promise((resolve, reject) => {
      codec.async(body, options, (error, result) =>
        error === null ? resolve(result) : reject(toError(error, body, limit)),
      )
    })
  }
  try {
    return codec.sync(body, options)
  } catch (error) {
    throw toError(error, body, limit)
  }
}

/** RFC 1950, section 2.2: compression method 8 in the low four bits, and the first two bytes are a multiple of 31. */
function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] as number) & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0
}

/** What a body may be unpacked to by its compressed size alone. */
function ratioBytesMax(body: Buffer, { inflateRatioMax }: BodyLimit): number {
  return inflateRatioMax === undefined
    ? Number.POSITIVE_INFINITY
    : Math.max(INFLATE_BYTES_MIN, body.length * inflateRatioMax)
}

function toError(error: unknown, body: Buffer, limit: BodyLimit): Error {
  if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') {
    if (ratioBytesMax(body, limit) >= limit.bodyBytesMax)
      return bodyTooLarge(limit, `more than ${limit.bodyBytesMax} bytes after decompression`)
    return intakeErrors.BODY_TOO_LARGE({
      message: `the body unpacks to more than ${limit.inflateRatioMax} times its ${body.length} compressed bytes`,
      details: { inflate_ratio_max: limit.inflateRatioMax, compressed_bytes: body.length },
    })
  }
  return intakeErrors.CORRUPT_ENCODING({ cause: error })
}

/** The size limit of a body. */
export interface BodyLimit {
  /** Largest body after decompression, in bytes. */
  readonly bodyBytesMax: number
  /** Setting that holds the limit; messages name it. */
  readonly bodyBytesSetting?: string | undefined
  /**
   * A compressed body may be unpacked to this many times its size, and to 1 MiB in any case. Data that people send stays far below 100; zeros reach 1,000. Default:
   * no limit but `bodyBytesMax`.
   */
  readonly inflateRatioMax?: number | undefined
}

/** The error for a body over its limit. `actual` says how large it is, as far as that is known. */
export function bodyTooLarge({ bodyBytesMax, bodyBytesSetting }: BodyLimit, actual: string): Error {
  const setting = bodyBytesSetting === undefined ? '' : ` (${bodyBytesSetting})`
  return intakeErrors.BODY_TOO_LARGE({
    message: `the body has ${actual}, and at most ${bodyBytesMax} are allowed${setting}`,
    details: { limit_bytes: bodyBytesMax, ...(bodyBytesSetting !== undefined && { setting: bodyBytesSetting }) },
  })
}
