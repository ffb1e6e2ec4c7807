import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { hashBytes, hashText, hashToBigint } from './hash.js'

const hash = (text: string, seed: number): bigint => hashToBigint(hashText(text, seed, { lo: 0, hi: 0 }))

describe('hashText', () => {
  it('gives the ids of different tenants different hashes, even when first character and tenant number could cancel out', () => {
    const hashes = new Set<bigint>()
    const ids = Array.from({ length: 95 }, (_, i) => `${String.fromCharCode(32 + i)}-0001`)
    for (let tenant = 1; tenant <= 200; tenant++) for (const id of ids) hashes.add(hash(id, tenant))
    expect(hashes.size).toBe(200 * ids.length)
  })

  it('hashes a text and its UTF-8 bytes alike', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 0, max: 0x7fff_ffff }), (text, seed) => {
        const bytes = Buffer.from(`<${text}>`)
        expect(hashToBigint(hashBytes(bytes, 1, bytes.length - 1, seed, { lo: 0, hi: 0 }))).toBe(hash(text, seed))
      }),
    )
  })
})
