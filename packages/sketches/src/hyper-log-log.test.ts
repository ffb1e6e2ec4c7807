import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { HyperLogLog } from './hyper-log-log.js'

type Hash = readonly [lo: number, hi: number]

/** The finaliser of MurmurHash3 over a counter in each lane: uniform enough to hold error bounds against. */
function hashOf(seed: number): Hash {
  const mix = (x: number) => {
    let h = Math.imul(x ^ (x >>> 16), 0x85ebca6b)
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
    return (h ^ (h >>> 16)) >>> 0
  }
  return [mix(seed), mix(seed ^ 0x9e3779b9)]
}

function sketchOf(hashes: Iterable<Hash>): HyperLogLog {
  const sketch = new HyperLogLog()
  for (const [lo, hi] of hashes) sketch.add(lo, hi)
  return sketch
}

function* range(from: number, to: number): Generator<Hash> {
  for (let i = from; i < to; i++) yield hashOf(i)
}

const lane = fc.integer({ min: 0, max: 0xffff_ffff })
const hashes = fc.array(
  fc.tuple(lane, fc.oneof({ weight: 4, arbitrary: lane }, { weight: 1, arbitrary: fc.constant(0) })),
  { maxLength: 3_000 },
)

describe('HyperLogLog', () => {
  it('HyperLogLog is nearly exact for few elements', () => {
    for (const count of [0, 1, 2, 10, 100]) expect(Math.round(sketchOf(range(0, count)).estimate())).toBe(count)
  })

  it.each([500, 1_500, 3_000, 10_000, 40_000, 100_000, 250_000])(
    'errs by 0.81 %% at %i: the mean square over eight sets is no larger',
    (count) => {
      let squares = 0
      for (let set = 0; set < 8; set++) {
        const from = 7_919 * set + 1_000_003 * set
        squares += (sketchOf(range(from, from + count)).estimate() / count - 1) ** 2
      }
      expect(Math.sqrt(squares / 8)).toBeLessThan(0.0081 * 1.5)
    },
  )

  it('HyperLogLog does not change when a hash is added again, and says so', () => {
    fc.assert(
      fc.property(hashes, (all) => {
        const sketch = sketchOf(all)
        const before = sketch.serialise()
        for (const [lo, hi] of all) expect(sketch.add(lo, hi)).toBe(false)
        expect(sketch.serialise()).toEqual(before)
      }),
      { numRuns: 12 },
    )
  })

  it('HyperLogLog merges to the union, byte for byte, in any order and representation, and does not change the other sketch', () => {
    fc.assert(
      fc.property(hashes, hashes, (left, right) => {
        const union = sketchOf([...left, ...right]).serialise()
        const other = sketchOf(right)
        const before = other.serialise()
        expect(sketchOf(left).merge(other).serialise()).toEqual(union)
        expect(other.serialise()).toEqual(before)
        expect(sketchOf(left).mergeSerialised(before).serialise()).toEqual(union)
        expect(sketchOf(right).merge(sketchOf(left)).serialise()).toEqual(union)
      }),
      { numRuns: 12 },
    )
  })

  it('HyperLogLog can be read from its bytes, sparse or dense', () => {
    fc.assert(
      fc.property(hashes, (all) => {
        const sketch = sketchOf(all)
        const back = HyperLogLog.deserialise(sketch.serialise())
        expect(back.serialise()).toEqual(sketch.serialise())
        expect(back.estimate()).toBeCloseTo(sketch.estimate(), 6)
        expect(HyperLogLog.estimateSerialised(sketch.serialise())).toBeCloseTo(sketch.estimate(), 6)
      }),
      { numRuns: 12 },
    )
    const dense = sketchOf(range(0, 50_000))
    expect(HyperLogLog.deserialise(dense.serialise()).estimate()).toBe(dense.estimate())
    expect(HyperLogLog.estimateSerialised(dense.serialise())).toBe(dense.estimate())
  })

  it('HyperLogLog takes two or three bytes per user for few users, and at most 12 KiB', () => {
    expect(sketchOf(range(0, 1)).serialise().length).toBeLessThan(8)
    expect(sketchOf(range(0, 1_000)).serialise().length).toBeLessThan(2_100)
    expect(sketchOf(range(0, 100_000)).serialise().length).toBe(12_291)
  })

  it('HyperLogLog ranks by the rest of the low word when the high word is zero', () => {
    expect(sketchOf([[0x4000, 0]]).serialise()).not.toEqual(sketchOf([[0x8000, 0]]).serialise())
    expect(sketchOf([[0, 0]]).serialise()).toEqual(Buffer.of(1, 0, 14, 51))
  })

  it('HyperLogLog rejects bytes that are damaged or of another version', () => {
    const dense = sketchOf(range(0, 50_000)).serialise()
    const ranked = Buffer.concat([dense.subarray(0, 3), Buffer.alloc(12_288, 0xff)])
    for (const bytes of [dense.subarray(0, 5_000), ranked]) {
      expect(() => HyperLogLog.deserialise(bytes)).toThrow(RangeError)
      expect(() => HyperLogLog.estimateSerialised(bytes)).toThrow(RangeError)
    }
    for (const bytes of [
      [],
      [2, 0, 14],
      [1, 2, 14],
      [1, 0, 12],
      [1, 0, 14, 0x80],
      [1, 0, 14, 0],
      [1, 0, 14, 0xff, 0xff, 0x7f],
      [1, 0, 14, 0xc1, 0x80],
      [1, 0, 14, 0xc1, 0x80, 0x80],
      [1, 0, 14, 0x41, 0xc1],
    ]) {
      expect(() => HyperLogLog.deserialise(Buffer.from(bytes))).toThrow(RangeError)
    }
  })

  it.each([0, 1, 2, 3])('takes the highest rank there is and refuses a higher one, at place %i of four', (place) => {
    const withRank = (rank: number) => {
      const bytes = Buffer.alloc(3 + 12_288)
      bytes.set([1, 1, 14])
      bytes.writeUIntBE(rank << (18 - 6 * place), 3, 3)
      return bytes
    }
    expect(HyperLogLog.deserialise(withRank(51)).serialise()).toEqual(sketchWithRank(place, 51))
    for (const rank of [52, 56, 60, 63]) {
      expect(() => HyperLogLog.deserialise(withRank(rank))).toThrow(RangeError)
      expect(() => HyperLogLog.estimateSerialised(withRank(rank))).toThrow(RangeError)
    }
    // 16, 32 and 48 alone are no sign of damage.
    for (const rank of [16, 32, 47, 48, 51])
      expect(HyperLogLog.deserialise(withRank(rank)).estimate()).toBeGreaterThan(0)
  })
})

/** A sparse sketch of one register. */
function sketchWithRank(index: number, rank: number): Buffer {
  const packed = (index << 6) | rank
  return Buffer.of(1, 0, 14, ...(packed < 0x80 ? [packed] : [(packed & 0x7f) | 0x80, packed >>> 7]))
}
