import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compressStart, finishBody } from './spliced-body.js'

const decompress = { br: brotliDecompressSync, gzip: gunzipSync }

describe('a body with a compressed beginning and an uncompressed end', () => {
  it.each(['br', 'gzip'] as const)('is a valid %s stream for any beginning and end', async (encoding) => {
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 3_000 }),
      fc.string().map((part) => Buffer.from(part.repeat(500))),
    )
    await fc.assert(
      fc.asyncProperty(text, fc.uint8Array({ minLength: 1, maxLength: 500 }), async (start, end) => {
        const compressed = await compressStart(Buffer.from(start), encoding)
        const body = finishBody(compressed, Buffer.from(end), encoding)
        expect(decompress[encoding](body).equals(Buffer.concat([start, end]))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it.each(['br', 'gzip'] as const)('is a valid %s stream when its end needs several blocks', async (encoding) => {
    const start = Buffer.alloc(300_000, 'abc')
    for (const size of [65_535, 65_536, 200_000]) {
      const end = Buffer.alloc(size, 'xyz')
      const body = finishBody(await compressStart(start, encoding), end, encoding)
      expect(decompress[encoding](body).equals(Buffer.concat([start, end]))).toBe(true)
    }
  })
})
