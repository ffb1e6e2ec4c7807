import { describe, expect, it } from '@jest/globals'
import { hashBytes, hashText, hashToBigint } from './hash.js'

const hash = (text: string, seed: number): bigint => hashToBigint(hashText(text, seed, { lo: 0, hi: 0 }))

describe('hashText', () => {
  it('keeps the ids of tenants apart, also where first characters and tenant numbers could cancel out', () => {
    const hashes = new Set<bigint>()
    const ids = Array.from({ length: 95 }, (_, i) => `${String.fromCharCode(32 + i)}-0001`)
    for (let tenant = 1; tenant <= 200; tenant++) for (const id of ids) hashes.add(hash(id, tenant))
    expect(hashes.size).toBe(200 * ids.length)
  })

  it('is the same over a text and over its UTF-8 bytes', () => {
    for (const text of ['', 'm-1', 'grüße', '\u{1F600}']) {
      const bytes = Buffer.from(`<${text}>`)
      expect(hashToBigint(hashBytes(bytes, 1, bytes.length - 1, 7, { lo: 0, hi: 0 }))).toBe(hash(text, 7))
    }
  })
})
