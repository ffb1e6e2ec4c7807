import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { doubleRange } from './double-range.js'

const double = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => value !== 0)

/** A decimal with its last digit one up or down: just outside or inside of an end. */
function nudged(decimal: string, by: 1n | -1n): string {
  const [whole = '', fraction = ''] = `${decimal.includes('.') ? decimal : `${decimal}.`}0`.split('.')
  const isNegative = whole.startsWith('-')
  const digits = BigInt(`${whole}${fraction}`) + by
  const text = (digits < 0n ? -digits : digits).toString().padStart(fraction.length + 1, '0')
  const sign = digits < 0n || (digits === 0n && isNegative) ? '-' : ''
  return `${sign}${text.slice(0, -fraction.length)}.${text.slice(-fraction.length)}`
}

describe('the range of a double', () => {
  it('doubleRange contains exactly the decimals that are read as the double, to the last digit', () => {
    fc.assert(
      fc.property(double, (value) => {
        const { low, high, isClosed } = doubleRange(value)
        expect(Number(nudged(low, 1n))).toBe(value)
        expect(Number(nudged(high, -1n))).toBe(value)
        expect(Number(nudged(low, -1n))).not.toBe(value)
        expect(Number(nudged(high, 1n))).not.toBe(value)
        expect([Number(low) === value, Number(high) === value]).toEqual([isClosed, isClosed])
      }),
      { numRuns: 300 },
    )
  })

  it.each([
    [9_007_199_254_740_992, { low: '9007199254740991.5', high: '9007199254740993', isClosed: true }],
    [9_007_199_254_740_994, { low: '9007199254740993', high: '9007199254740995', isClosed: false }],
    [-9_007_199_254_740_994, { low: '-9007199254740995', high: '-9007199254740993', isClosed: false }],
    [0, { low: '0', high: '0', isClosed: true }],
    [-0, { low: '0', high: '0', isClosed: true }],
  ])('of %d is exact', (value, range) => {
    expect(doubleRange(value)).toEqual(range)
  })

  it('doubleRange works for the largest and the smallest double', () => {
    expect(doubleRange(Number.MAX_VALUE).high).toBe((2n ** 1024n - 2n ** 970n).toString())
    expect(doubleRange(Number.MIN_VALUE).low).toMatch(/^0\.0+2\d+5$/)
  })
})
