import { promisify } from 'node:util'
import { brotliCompress, constants, crc32, deflateRaw } from 'node:zlib'
import type { ResponseEncoding } from './choose-encoding.js'

/**
 * The beginning of a body, compressed once. `finish` adds an end that differs from response to response, without compressing anything again: both
 * formats allow a stream to go on with a block of uncompressed bytes.
 */
export interface CompressedStart {
  readonly bytes: Buffer
  /** CRC-32 and size of the beginning before compression, which the end of a gzip stream contains. */
  readonly crc: number
  readonly plainBytes: number
}

const compressors = { br: promisify(brotliCompress), gzip: promisify(deflateRaw) }
// Levels by measurement: higher ones take two to five times as long for a tenth less.
const options = {
  br: { params: { [constants.BROTLI_PARAM_QUALITY]: 4 }, finishFlush: constants.BROTLI_OPERATION_FLUSH },
  // A flush ends at a byte, and without a last block the stream may go on.
  gzip: { level: 4, finishFlush: constants.Z_SYNC_FLUSH },
}

/** RFC 1952, section 2.3: deflate, no flags, no time, unknown system. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** Both formats give the size of an uncompressed block in 16 bits. */
const BLOCK_BYTES_MAX = 65_535

/** Compresses in the thread pool, so that a large answer does not hold up others. */
export async function compressStart(plain: Buffer, encoding: ResponseEncoding): Promise<CompressedStart> {
  const bytes =
    encoding === 'br' ? await compressors.br(plain, options.br) : await compressors.gzip(plain, options.gzip)
  return { bytes, crc: encoding === 'gzip' ? crc32(plain) : 0, plainBytes: plain.length }
}

/** The whole body: the compressed beginning and `end`, which must not be empty. */
export function finishBody(start: CompressedStart, end: Buffer, encoding: ResponseEncoding): Buffer {
  return encoding === 'gzip' ? finishGzip(start, end) : finishBrotli(start, end)
}

function finishGzip({ bytes, crc, plainBytes }: CompressedStart, end: Buffer): Buffer {
  const trailer = Buffer.allocUnsafe(8)
  trailer.writeUInt32LE(crc32(end, crc), 0)
  trailer.writeUInt32LE((plainBytes + end.length) >>> 0, 4)
  return Buffer.concat([GZIP_HEADER, bytes, ...toBlocks(end, deflateBlockHeader), trailer])
}

function finishBrotli({ bytes }: CompressedStart, end: Buffer): Buffer {
  return Buffer.concat([bytes, ...toBlocks(end, brotliBlockHeader), BROTLI_LAST])
}

function toBlocks(end: Buffer, header: (bytes: number, isLast: boolean) => Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = 0; at < end.length; at += BLOCK_BYTES_MAX) {
    const block = end.subarray(at, at + BLOCK_BYTES_MAX)
    blocks.push(header(block.length, at + block.length === end.length), block)
  }
  return blocks
}

/** RFC 1951, section 3.2.4: BFINAL, BTYPE 00, padding to a byte, the size, and its one's complement. */
function deflateBlockHeader(bytes: number, isLast: boolean): Buffer {
  const header = Buffer.allocUnsafe(5)
  header[0] = isLast ? 1 : 0
  header.writeUInt16LE(bytes, 1)
  header.writeUInt16LE(~bytes & 0xffff, 3)
  return header
}

/** RFC 7932, section 9.2, from the lowest bit: ISLAST 0, MNIBBLES 00 (4 nibbles), the size minus 1 in 16 bits, ISUNCOMPRESSED 1, padding. */
function brotliBlockHeader(bytes: number): Buffer {
  const header = Buffer.allocUnsafe(3)
  header.writeUIntLE(((bytes - 1) << 3) | (1 << 19), 0, 3)
  return header
}

/** ISLAST 1 and ISLASTEMPTY 1. */
const BROTLI_LAST = Buffer.from([3])
