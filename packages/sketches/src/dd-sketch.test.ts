import { DDSketch as DatadogSketch } from '@datadog/sketches-js'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { DDSketch, RELATIVE_ACCURACY } from './dd-sketch.js'

const magnitude = fc.double({ min: 1e-6, max: 1e7, noNaN: true })
const value = fc.oneof(
  { weight: 6, arbitrary: magnitude },
  { weight: 3, arbitrary: magnitude.map((x) => -x) },
  { weight: 1, arbitrary: fc.constant(0) },
)
const values = fc.array(value, { minLength: 1, maxLength: 300 })

function sketchOf(numbers: readonly number[]): DDSketch {
  const sketch = new DDSketch()
  for (const number of numbers) sketch.add(number)
  return sketch
}

describe('DDSketch', () => {
  it('answers every quantile within 0.8 % of the value that stands there', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (numbers, q) => {
        const exact = [...numbers].sort((a, b) => a - b)[Math.floor(q * (numbers.length - 1))] as number
        const error = Math.abs(sketchOf(numbers).quantile(q) - exact)
        expect(error).toBeLessThanOrEqual(Math.abs(exact) * RELATIVE_ACCURACY * (1 + 1e-9))
      }),
    )
  })

  it('merges to the sketch of all values, byte for byte, and leaves the other one alone', () => {
    fc.assert(
      fc.property(values, values, (left, right) => {
        const other = sketchOf(right)
        const before = other.serialise()
        expect(sketchOf(left).merge(other).serialise()).toEqual(sketchOf([...left, ...right]).serialise())
        expect(other.serialise()).toEqual(before)
      }),
    )
  })

  it('comes back from its bytes as it was, and goes on counting', () => {
    fc.assert(
      fc.property(values, values, (first, later) => {
        const back = DDSketch.deserialise(sketchOf(first).serialise())
        expect(back.count).toBe(first.length)
        for (const number of later) back.add(number)
        expect(back.serialise()).toEqual(sketchOf([...first, ...later]).serialise())
      }),
    )
  })

  it('keeps the upper quantiles when values span more than its bins', () => {
    const numbers = Array.from({ length: 600 }, (_, i) => 10 ** (i / 2 - 290))
    const sketch = sketchOf(numbers.concat([1e10]))
    expect(sketch.count).toBe(601)
    expect(Math.abs(sketch.quantile(1) / 1e10 - 1)).toBeLessThan(RELATIVE_ACCURACY)
    const reversed = sketchOf([1e10, ...numbers.reverse()])
    expect(reversed.serialise()).toEqual(sketch.serialise())
  })

  it('knows nothing of no values', () => {
    expect(new DDSketch().quantile(0.5)).toBeNaN()
    expect(DDSketch.deserialise(new DDSketch().serialise()).count).toBe(0)
  })

  it('refuses bytes that are cut short, changed in length, or of another version', () => {
    const bytes = sketchOf([1, 2, 3, 1000]).serialise()
    for (let length = 0; length < bytes.length; length++)
      expect(() => DDSketch.deserialise(bytes.subarray(0, length))).toThrow(RangeError)
    expect(() => DDSketch.deserialise(Buffer.concat([bytes, Buffer.of(1)]))).toThrow(RangeError)
    expect(() => DDSketch.deserialise(Buffer.of(9, ...bytes.subarray(1)))).toThrow(RangeError)
  })

  it("agrees with Datadog's own implementation to within a bin", () => {
    fc.assert(
      fc.property(
        fc.array(magnitude, { minLength: 1, maxLength: 200 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (numbers, q) => {
          const theirs = new DatadogSketch({ relativeAccuracy: RELATIVE_ACCURACY })
          for (const number of numbers) theirs.accept(number)
          const expected = theirs.getValueAtQuantile(q)
          expect(Math.abs(sketchOf(numbers).quantile(q) - expected)).toBeLessThanOrEqual(
            expected * RELATIVE_ACCURACY * 2.1,
          )
        },
      ),
    )
  })

  it('takes a few dozen bytes for a few values', () => {
    expect(sketchOf(Array.from({ length: 10 }, (_, i) => 1.7 ** i)).serialise().length).toBeLessThan(50)
  })
})
