import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { CONTENT_ENCODINGS, decompress } from './decompress.js'

const MIB = 1_048_576
const limit = { bodyBytesMax: 64 * MIB, inflateRatioMax: 100 }
const unpack = async (...args: Parameters<typeof decompress>) => await decompress(...args)

describe('decompression with a limit of its ratio', () => {
  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['deflate', deflateRawSync],
    ['br', brotliCompressSync],
  ] as const)(
    'refuses a body in %s that unpacks to more than 100 times its size, and says so',
    async (encoding, pack) => {
      const bomb = pack(Buffer.alloc(8 * MIB))
      await expect(unpack(bomb, encoding, limit)).rejects.toMatchObject({
        code: 'BODY_TOO_LARGE',
        httpStatus: 413,
        message: `the body unpacks to more than 100 times its ${bomb.length} compressed bytes`,
      })
      expect(await unpack(bomb, encoding, { bodyBytesMax: 64 * MIB })).toHaveLength(8 * MIB)
    },
  )

  it('names the limit of the body when that is the smaller one', async () => {
    await expect(unpack(gzipSync(Buffer.alloc(2 * MIB)), 'gzip', { ...limit, bodyBytesMax: 1000 })).rejects.toThrow(
      'more than 1000 bytes after decompression',
    )
  })

  it('lets every body unpack to 1 MiB, and a large one to 100 times its size', async () => {
    expect(await unpack(gzipSync(Buffer.alloc(MIB)), 'gzip', limit)).toHaveLength(MIB)
    const text = Buffer.from(Array.from({ length: 100_000 }, (_, index) => `line ${index} of many`).join('\n'))
    const unpacked = await unpack(gzipSync(text), 'gzip', limit)
    // Jest's toEqual takes seconds to compare 2 MB of bytes.
    expect(unpacked.equals(text)).toBe(true)
  })

  it('knows zstd exactly where Node does', async () => {
    const zlib = await import('node:zlib')
    expect(CONTENT_ENCODINGS.includes('zstd')).toBe('zstdDecompress' in zlib)
  })
})
