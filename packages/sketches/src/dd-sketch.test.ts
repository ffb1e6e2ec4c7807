import { DDSketch as DatadogSketch } from '@datadog/sketches-js'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DDSketch, RELATIVE_ACCURACY } from './dd-sketch.js'
import { nearestRank } from './nearest-rank.js'

const magnitude = fc.double({ min: 1e-6, max: 1e7, noNaN: true })
const value = fc.oneof(
  { weight: 6, arbitrary: magnitude },
  { weight: 3, arbitrary: magnitude.map((x) => -x) },
  { weight: 1, arbitrary: fc.constant(0) },
)
const values = fc.array(value, { minLength: 1, maxLength: 300 })

/** Some values of usual sizes, some of any, in a few parts. */
const anyMagnitude = fc
  .tuple(
    fc.double({ min: 1, max: 10, noNaN: true, maxExcluded: true }),
    fc.integer({ min: -300, max: 299 }),
    fc.boolean(),
  )
  .map(([digits, exponent, isNegative]) => (isNegative ? -1 : 1) * digits * 10 ** exponent)
const mixedParts = fc.array(
  fc.array(fc.oneof({ weight: 2, arbitrary: anyMagnitude }, { weight: 2, arbitrary: value }), {
    minLength: 1,
    maxLength: 400,
    size: 'max',
  }),
  { minLength: 1, maxLength: 5, size: 'max' },
)

/** Bytes of version 1 as written when the bins of a sign had to lie within 14 powers of ten. */
const WRITTEN_VALUES = [0, 0, -250, -3, 0.004, ...Array.from({ length: 20 }, (_, i) => 1.5 ** i)]
const WRITTEN_BEFORE =
  'AVACFbEFvAYBANcCAQAYAQAXAQAYAQAXAQAXAQAYAQAXAQAXAQAYAQAXAQAXAQAYAQAXAQAXAQAYAQAXAQAXAQAYAQAXAQKKAZYCAQCTAgE='
const FOLDED_BEFORE = 'AVACFqAGgBARAAQBABcBABgBABcBAKsPAQKKAZYCAQCTAgE='

/** The items in another order, which the seed decides. */
function inOrder<T>(items: readonly T[], seed: number): T[] {
  const keys = new Map(items.map((_, i) => [i, Math.imul(i + 1, seed * 2 + 1) % 1009]))
  return items
    .map((item, i) => ({ item, i }))
    .toSorted((a, b) => (keys.get(a.i) ?? 0) - (keys.get(b.i) ?? 0))
    .map(({ item }) => item)
}

function sketchOf(numbers: readonly number[]): DDSketch {
  const sketch = new DDSketch()
  for (const number of numbers) sketch.add(number)
  return sketch
}

describe('DDSketch', () => {
  it('DDSketch answers every quantile within 0.8 % of the true value', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (numbers, q) => {
        const exact = [...numbers].sort((a, b) => a - b)[nearestRank(q, numbers.length)] as number
        const error = Math.abs(sketchOf(numbers).quantile(q) - exact)
        expect(error).toBeLessThanOrEqual(Math.abs(exact) * RELATIVE_ACCURACY * (1 + 1e-9))
      }),
    )
  })

  it('DDSketch merges to the sketch of all values, byte for byte, and does not change the other sketch', () => {
    fc.assert(
      fc.property(values, values, (left, right) => {
        const other = sketchOf(right)
        const before = other.serialise()
        const both = sketchOf([...left, ...right]).serialise()
        expect(sketchOf(left).merge(other).serialise()).toEqual(both)
        expect(other.serialise()).toEqual(before)
        expect(sketchOf(left).mergeSerialised(before).serialise()).toEqual(both)
      }),
    )
  })

  it('DDSketch can be read from its bytes and goes on counting', () => {
    fc.assert(
      fc.property(values, values, (first, later) => {
        const back = DDSketch.deserialise(sketchOf(first).serialise())
        expect(back.count).toBe(first.length)
        for (const number of later) back.add(number)
        expect(back.serialise()).toEqual(sketchOf([...first, ...later]).serialise())
      }),
    )
  })

  it('DDSketch answers within 0.8 % for up to 2,000 different values of any magnitude, merged in any order', () => {
    fc.assert(
      fc.property(mixedParts, fc.integer({ min: 0, max: 1 << 20 }), (parts, seed) => {
        const numbers = parts.flat()
        const sketch = sketchOf(numbers)
        const sorted = numbers.toSorted((a, b) => a - b)
        for (const q of [0.5, 0.95, 0.99]) {
          const exact = sorted[nearestRank(q, sorted.length)] as number
          const error = Math.abs(sketch.quantile(q) - exact)
          expect(error).toBeLessThanOrEqual(Math.abs(exact) * RELATIVE_ACCURACY * (1 + 1e-9))
        }
        const merged = new DDSketch()
        for (const part of inOrder(parts, seed)) merged.mergeSerialised(sketchOf(part).serialise())
        expect(merged.serialise()).toEqual(sketch.serialise())
        expect(sketchOf(inOrder(numbers, seed)).serialise()).toEqual(sketch.serialise())
      }),
      { numRuns: 15 },
    )
  })

  it('DDSketch keeps its accuracy when an outlier comes first, last or from another sketch', () => {
    const usual = Array.from({ length: 99 }, (_, i) => i + 1)
    const sketches = [
      sketchOf([1e17, ...usual]),
      sketchOf([...usual, 1e17]),
      sketchOf([1e17]).merge(sketchOf(usual)),
      sketchOf(usual).merge(sketchOf([1e17])),
    ]
    for (const sketch of sketches) {
      expect(sketch.quantile(0.5) / 50).toBeCloseTo(1, 1.79)
      expect(sketch.quantile(0.95) / 95).toBeCloseTo(1, 1.79)
      expect(sketch.quantile(1) / 1e17).toBeCloseTo(1, 1.79)
      expect(sketch.serialise().length).toBeLessThan(200)
    }
  })

  it('DDSketch keeps the 2,048 highest bins when there are more, in any order of adding', () => {
    const numbers = Array.from({ length: 6000 }, (_, i) => 10 ** (i / 10 - 300))
    const sketch = sketchOf(numbers)
    expect(sketch.count).toBe(6000)
    for (const at of [5999, 5000, 6000 - 2048]) {
      const answer = sketch.quantile((at + 0.5) / 6000)
      expect(Math.abs(answer / (numbers[at] as number) - 1)).toBeLessThanOrEqual(RELATIVE_ACCURACY * (1 + 1e-9))
    }
    expect(sketch.quantile(0)).toBe(sketch.quantile((6000 - 2048) / 6000))
    expect(sketchOf(numbers.toReversed()).serialise()).toEqual(sketch.serialise())
    const [left, right] = [sketchOf(numbers.slice(0, 3500)), sketchOf(numbers.slice(3500))]
    expect(sketchOf([]).merge(right).merge(left).serialise()).toEqual(sketch.serialise())
    expect(left.merge(right).serialise()).toEqual(sketch.serialise())
  })

  it('DDSketch answers for the largest double and for the smallest that it tells from zero', () => {
    for (const number of [Number.MAX_VALUE, -Number.MAX_VALUE, 1.01e-307])
      expect(Math.abs(sketchOf([number]).quantile(0.5) / number - 1)).toBeLessThanOrEqual(
        RELATIVE_ACCURACY * (1 + 1e-9),
      )
    expect(sketchOf([1e-308]).quantile(0.5)).toBe(0)
  })

  it('DDSketch reads the bytes of releases that had no outliers, and goes on counting', () => {
    const back = DDSketch.deserialise(Buffer.from(WRITTEN_BEFORE, 'base64'))
    expect(back.count).toBe(WRITTEN_VALUES.length)
    expect(back.serialise()).toEqual(sketchOf(WRITTEN_VALUES).serialise())
    back.merge(sketchOf([1e200, 1e-200]))
    expect(back.serialise()).toEqual(sketchOf([...WRITTEN_VALUES, 1e-200, 1e200]).serialise())
    // The same and a 1e17, with which the small ones were put together.
    const folded = DDSketch.deserialise(Buffer.from(FOLDED_BEFORE, 'base64'))
    expect(folded.count).toBe(WRITTEN_VALUES.length + 1)
    expect(folded.quantile(1) / 1e17).toBeCloseTo(1, 1.79)
    expect(folded.merge(sketchOf([-1, -2])).count).toBe(WRITTEN_VALUES.length + 3)
  })

  it('DDSketch has no quantile without values', () => {
    expect(new DDSketch().quantile(0.5)).toBeNaN()
    expect(DDSketch.deserialise(new DDSketch().serialise()).count).toBe(0)
  })

  it('DDSketch rejects bytes that are cut short, changed in length, or of another version', () => {
    const bytes = sketchOf([1, 2, 3, 1000]).serialise()
    for (let length = 0; length < bytes.length; length++)
      expect(() => DDSketch.deserialise(bytes.subarray(0, length))).toThrow(RangeError)
    expect(() => DDSketch.deserialise(Buffer.concat([bytes, Buffer.of(1)]))).toThrow(RangeError)
    expect(() => DDSketch.deserialise(Buffer.of(9, ...bytes.subarray(1)))).toThrow(RangeError)
  })

  it("DDSketch agrees with Datadog's own implementation to within a bin", () => {
    fc.assert(
      fc.property(
        fc.array(magnitude, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (numbers, q) => {
          const theirs = new DatadogSketch({ relativeAccuracy: RELATIVE_ACCURACY })
          for (const number of numbers) theirs.accept(number)
          // Datadog's rank is q * (n - 1), so it is asked for the share that has our rank.
          const expected = theirs.getValueAtQuantile(nearestRank(q, numbers.length) / Math.max(numbers.length - 1, 1))
          expect(Math.abs(sketchOf(numbers).quantile(q) - expected)).toBeLessThanOrEqual(
            expected * RELATIVE_ACCURACY * 2.1,
          )
        },
      ),
    )
  })

  it('DDSketch takes a few dozen bytes for a few values', () => {
    expect(sketchOf(Array.from({ length: 10 }, (_, i) => 1.7 ** i)).serialise().length).toBeLessThan(50)
  })
})
