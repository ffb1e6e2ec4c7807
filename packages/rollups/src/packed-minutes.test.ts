import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { packMinutes, packSketches, unpackMinutes, unpackSketches } from './packed-minutes.js'

const number = fc.double({ noNaN: true, noDefaultInfinity: true })
const minute = fc.record({
  count: fc.nat({ max: 2 ** 31 }),
  numbers: fc.option(fc.record({ sum: number, sumError: number, min: number, max: number })),
})

describe('packed minutes', () => {
  it('unpackMinutes gives the minutes that packMinutes packed', () => {
    fc.assert(
      fc.property(fc.array(fc.option(minute), { maxLength: 60 }), (minutes) => {
        const expected = minutes.map((one) => one ?? { count: 0, numbers: null })
        expect(unpackMinutes(packMinutes(minutes))).toEqual(expected)
      }),
    )
  })

  it('packMinutes takes a byte or two for a minute with a count alone', () => {
    const minutes = [1, 0, 63, 64, 8191].map((count) => ({ count, numbers: null }))
    expect(packMinutes(minutes)).toHaveLength(1 + 1 + 1 + 1 + 2 + 2)
  })

  it('unpackSketches gives the sketches that packSketches packed, also from the middle of a larger buffer', () => {
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.uint8Array({ minLength: 1, maxLength: 300 })), { maxLength: 5 }),
        (sketches) => {
          const packed = packSketches(sketches)
          const moved = Buffer.concat([Buffer.alloc(3), packed, Buffer.alloc(3)]).subarray(3, 3 + packed.length)
          expect(unpackSketches(moved).map((bytes) => bytes && [...bytes])).toEqual(
            sketches.map((bytes) => bytes && [...bytes]),
          )
        },
      ),
    )
  })

  it('packed minutes are rejected when they are damaged or of another version', () => {
    const packed = packMinutes([{ count: 3, numbers: { sum: 1, sumError: 0, min: 1, max: 1 } }])
    expect(() => unpackMinutes(packed.subarray(0, packed.length - 1))).toThrow(RangeError)
    expect(() => unpackMinutes(Buffer.from([9, 2]))).toThrow(RangeError)
    expect(() => unpackSketches(Buffer.from([1, 5, 0]))).toThrow(RangeError)
  })
})
