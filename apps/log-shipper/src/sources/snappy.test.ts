import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { compressSync } from 'snappy'
import { DecodeFault } from '../fields/decode-fault.js'
import { decompressSnappy } from './snappy.js'

const MAX = 1_000_000

describe('Snappy', () => {
  it('gives back what the library of Google compressed', () => {
    const piece = fc.oneof(fc.string(), fc.constant('abcabcabc'), fc.constant('x'.repeat(70_000)))
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const input = Buffer.from(pieces.join(''))
        expect(decompressSnappy(Buffer.from(compressSync(input)), MAX).equals(input)).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    ['an empty body', ''],
    ['a length without end', 'ffffffffffff'],
    ['a length that the input cannot stand for', 'ffff0f00'],
    ['a literal that is longer than the input', '0a2461'],
    ['a copy from before the beginning', '040061050a'],
    ['an offset of zero', '050061010000'],
    ['fewer bytes than announced', '050061'],
  ])('refuses %s', (_what, hex) => {
    expect(() => decompressSnappy(Buffer.from(hex, 'hex'), MAX)).toThrow(DecodeFault)
  })

  it('refuses a body that is larger than allowed before it allocates it', () => {
    const bomb = Buffer.from(compressSync(Buffer.alloc(MAX + 1)))
    expect(() => decompressSnappy(bomb, MAX)).toThrow('at most 1000000 are allowed')
  })

  it('turns any bytes into data or a precise error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decompressSnappy(Buffer.from(bytes), MAX)
        } catch (error) {
          const what = error instanceof DecodeFault ? 'a fault' : (error as { code?: unknown }).code
          expect(['a fault', 'BODY_TOO_LARGE']).toContain(what)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
