import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { InvalidBytes } from '../bytes/byte-reader.js'
import { columnStoreErrors } from '../column-store-errors.js'

/** How the bytes of a segment are compressed. The ids are part of the format: never change one. */
export const CODEC_IDS = { raw: 0, deflate: 1, lz4: 2, zstd: 3 } as const

export type Codec = keyof typeof CODEC_IDS

const NAMES: readonly Codec[] = ['raw', 'deflate', 'lz4', 'zstd']
const LEVEL = 1
/** An lz4 block of lz4-napi begins with the length of the raw bytes. */
const LZ4_LENGTH_BYTES = 4

interface Lz4 {
  compressSync(bytes: Uint8Array): Buffer
  uncompressSync(bytes: Uint8Array): Buffer
}

/** Node has them from 22.15 on. */
interface Zstd {
  zstdCompressSync?(bytes: Uint8Array, options: object): Buffer
  zstdDecompressSync?(bytes: Uint8Array, options: object): Buffer
  readonly constants: { readonly ZSTD_c_compressionLevel?: number }
}

const zstd = zlib as unknown as Zstd
const require = createRequire(import.meta.url)
let lz4: Lz4 | undefined

/** Loaded when a segment first needs it, so that an idle process does not hold it. */
function loadLz4(): Lz4 {
  lz4 ??= require('lz4-napi') as Lz4
  return lz4
}

/** The codec that makes segments smallest for its time: zstd where Node has it, and deflate everywhere else. */
export function smallestCodec(): Codec {
  return zstd.zstdCompressSync === undefined ? 'deflate' : 'zstd'
}

/** Compresses bytes. Returns them with the codec `raw` when that does not save a thirtieth of them. */
export function compress(codec: Codec, bytes: Buffer): { codec: Codec; bytes: Buffer } {
  const compressed = compressWith(codec, bytes)
  return compressed.length < bytes.length - bytes.length / 30 ? { codec, bytes: compressed } : { codec: 'raw', bytes }
}

function compressWith(codec: Codec, bytes: Buffer): Buffer {
  switch (codec) {
    case 'raw':
      return bytes
    case 'deflate':
      return zlib.deflateRawSync(bytes, { level: LEVEL })
    case 'lz4':
      return loadLz4().compressSync(bytes)
    case 'zstd': {
      if (zstd.zstdCompressSync === undefined) throw unavailable()
      return zstd.zstdCompressSync(bytes, { params: { [zstd.constants.ZSTD_c_compressionLevel as number]: LEVEL } })
    }
  }
}

/**
 * Decompresses bytes to exactly `rawBytes` bytes; more memory than that is never taken.
 * @throws InvalidBytes
 * @throws COLUMN_CODEC_UNAVAILABLE
 */
export function decompress(id: number, bytes: Buffer, rawBytes: number): Buffer {
  const codec = NAMES[id]
  if (codec === undefined) throw new InvalidBytes(`codec ${id} is not known`)
  const raw = decompressWith(codec, bytes, rawBytes)
  if (raw.length !== rawBytes)
    throw new InvalidBytes(`a segment has ${raw.length} bytes where ${rawBytes} are expected`)
  return raw
}

function decompressWith(codec: Codec, bytes: Buffer, rawBytes: number): Buffer {
  const limits = { maxOutputLength: Math.max(rawBytes, 1) }
  switch (codec) {
    case 'raw':
      return bytes
    case 'deflate':
      return valid(() => zlib.inflateRawSync(bytes, limits))
    case 'lz4':
      if (bytes.length < LZ4_LENGTH_BYTES || bytes.readUInt32LE(0) !== rawBytes)
        throw new InvalidBytes('an lz4 block has another length than the head says')
      return valid(() => loadLz4().uncompressSync(bytes))
    case 'zstd':
      return valid(() => {
        if (zstd.zstdDecompressSync === undefined) throw unavailable()
        return zstd.zstdDecompressSync(bytes, limits)
      })
  }
}

function valid(decompressBytes: () => Buffer): Buffer {
  try {
    return decompressBytes()
  } catch (cause) {
    if (columnStoreErrors.COLUMN_CODEC_UNAVAILABLE.matches(cause)) throw cause
    throw new InvalidBytes('a segment cannot be decompressed', { cause })
  }
}

function unavailable(): Error {
  return columnStoreErrors.COLUMN_CODEC_UNAVAILABLE({
    message: `a segment is compressed with zstd, which Node ${process.versions.node} does not have: use Node 22.15 or newer`,
  })
}
