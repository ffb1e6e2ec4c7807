import { compress, compressSync, uncompress, uncompressSync } from 'lz4-napi'

/** Encodes values as bytes. The encoded bytes count as the value's size. */
export interface Codec<T> {
  encode(value: T): Buffer
  /** Throws for bytes that it cannot decode, for example of an older version; the value is then loaded again. */
  decode(bytes: Buffer): T
}

/** Encodes values as JSON text. */
export function jsonCodec<T>(): Codec<T> {
  return {
    encode: (value) => Buffer.from(JSON.stringify(value)),
    decode: (bytes) => JSON.parse(bytes.toString()) as T,
  }
}

/** A value as it is stored in Redis. */
export interface Packed {
  readonly packing: 'plain' | 'lz4'
  readonly bytes: Buffer
}

/** From this size on LZ4 runs in the thread pool; below it, the hand-over takes longer than the work. */
const offloadBytesMin = 262_144

/** Compresses with LZ4 from `compressBytesMin` on, if that makes the bytes fewer. */
export async function pack(bytes: Buffer, compressBytesMin: number): Promise<Packed> {
  if (bytes.length < compressBytesMin) return { packing: 'plain', bytes }
  const packed = bytes.length < offloadBytesMin ? compressSync(bytes) : await compress(bytes)
  return packed.length < bytes.length ? { packing: 'lz4', bytes: packed } : { packing: 'plain', bytes }
}

/** The bytes that were given to `pack`. */
export async function unpack({ packing, bytes }: Packed): Promise<Buffer> {
  if (packing === 'plain') return bytes
  return bytes.length < offloadBytesMin / 4 ? uncompressSync(bytes) : await uncompress(bytes)
}
