import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { ExactSum } from './exact-sum.js'

/** Multiples of 2^-30 up to 2^50 / 2^30: doubles that a bigint can sum without rounding. */
const exact = fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n })
const toDouble = (scaled: bigint) => Number(scaled) / 2 ** 30

function sumOf(values: readonly number[]): ExactSum {
  const sum = new ExactSum()
  for (const value of values) sum.add(value)
  return sum
}

describe('ExactSum', () => {
  it('ExactSum is the exact sum, rounded once', () => {
    fc.assert(
      fc.property(fc.array(exact, { maxLength: 500 }), (scaled) => {
        const expected = toDouble(scaled.reduce((a, b) => a + b, 0n))
        expect(sumOf(scaled.map(toDouble)).value()).toBe(expected === 0 ? 0 : expected)
      }),
    )
  })

  it('ExactSum does not depend on how the values are split and merged', () => {
    fc.assert(
      fc.property(fc.array(exact, { maxLength: 200 }), fc.array(exact, { maxLength: 200 }), (left, right) => {
        const all = [...left, ...right].map(toDouble)
        expect(
          sumOf(left.map(toDouble))
            .merge(sumOf(right.map(toDouble)))
            .value(),
        ).toBe(sumOf(all).value())
      }),
    )
  })

  it('ExactSum keeps small values that a plain sum loses', () => {
    expect(sumOf([1e16, ...Array.from({ length: 10 }, () => 0.1), -1e16]).value()).toBeCloseTo(1, 12)
    expect(sumOf([1e100, 1, -1e100]).value()).toBe(1)
  })

  it('ExactSum can be restored from its two numbers', () => {
    const sum = sumOf([1e16, 0.1, 0.2])
    expect(new ExactSum(sum.sum, sum.error).value()).toBe(sum.value())
  })

  it('ExactSum is infinite, not NaN, outside the range of doubles, and still has a mean', () => {
    expect(sumOf([1e308, 1e308]).value()).toBe(Number.POSITIVE_INFINITY)
    expect(sumOf([-1e308, -1e308]).value()).toBe(Number.NEGATIVE_INFINITY)
    expect(sumOf([1e308, 1e308]).mean(2)).toBe(1e308)
    expect(sumOf([1, 2, 4]).mean(3)).toBe(7 / 3)
  })

  it('ExactSum returns into the range of doubles, however the values are split, stored and merged', () => {
    const huge = fc.integer({ min: -16, max: 16 }).map((sixteenths) => (sixteenths / 16) * 1.7e308)
    const parts = fc.array(fc.array(huge, { maxLength: 20 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(parts, (lists) => {
        const all = lists.flat()
        const scaled = all.reduce((sum, value) => sum + value / 1024, 0)
        const merged = new ExactSum()
        for (const list of lists) {
          const { sum, error } = sumOf(list)
          merged.merge(new ExactSum(sum, error))
        }
        const decimal = new ExactSum()
        decimal.addDecimal(all.reduce((sum, value) => sum + BigInt(value), 0n).toString())
        const size = all.reduce((sum, value) => sum + Math.abs(value / 1024), 0)
        for (const sum of [sumOf(all), merged, decimal]) {
          const mean = sum.mean(Math.max(1, all.length))
          expect(Math.abs(mean / 1024 - scaled / Math.max(1, all.length))).toBeLessThanOrEqual(size * 1e-14)
          if (Math.abs(scaled) < 1.7e308 / 1024)
            expect(Math.abs(sum.value() / 1024 - scaled)).toBeLessThanOrEqual(size * 1e-14)
        }
      }),
    )
  })
})
