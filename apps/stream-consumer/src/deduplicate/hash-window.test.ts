import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { HashWindow } from './hash-window.js'
import { STAMP_MAX } from './stamped-hash-set.js'

const WINDOW_MS = 1000

type Hash = readonly [lo: number, hi: number]

/** A model of the window: insertion times in a Map, which keeps the order of insertion. */
class Model {
  readonly times = new Map<string, number>()
  lastMs = Number.NEGATIVE_INFINITY

  add(hashes: readonly Hash[], nowMs: number): boolean[] {
    const timeMs = Math.max(this.lastMs, nowMs)
    return hashes.map((hash) => {
      if (this.times.has(keyOf(hash))) return false
      this.lastMs = timeMs
      this.times.set(keyOf(hash), timeMs)
      return true
    })
  }

  expire(nowMs: number): void {
    for (const [key, time] of this.times) if (time <= nowMs - WINDOW_MS) this.times.delete(key)
  }
}

const keyOf = ([lo, hi]: Hash): string => `${lo} ${hi}`

function add(window: HashWindow, hashes: readonly Hash[], nowMs: number): boolean[] {
  const isNew = new Uint8Array(hashes.length)
  const added = window.add(Int32Array.from(hashes.flat()), nowMs, isNew)
  if (added !== isNew.reduce((sum, one) => sum + one, 0)) throw new Error('the number of new ones is wrong')
  return Array.from(isNew, (one) => one === 1)
}

// With few buckets, hashes overflow into the next ones, also from the last into the first.
const lane = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constant(0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
)
const hash = fc.tuple(lane, fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffff_ffff })))
const command = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      hashes: fc.array(hash, { minLength: 1, maxLength: 8 }),
      stepMs: fc.integer({ min: -20, max: 60 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('expire' as const),
      hashes: fc.constant([]),
      stepMs: fc.integer({ min: 0, max: 400 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('forget' as const),
      hashes: fc.array(hash, { minLength: 1, maxLength: 8 }),
      stepMs: fc.constant(0),
    }),
  },
)

/** The i-th of many hashes that look random. */
const nth = (i: number): Hash => [Math.imul(i, 2654435761) >>> 0, Math.imul(i + 7, 2246822507) >>> 0]
const range = (from: number, to: number): Hash[] => Array.from({ length: to - from }, (_, i) => nth(from + i))

describe('the hash window', () => {
  it('the hash window holds exactly what a map of insertion times would hold', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 150 }), (commands) => {
        const window = new HashWindow(WINDOW_MS)
        const model = new Model()
        let nowMs = 5000
        for (const { kind, hashes, stepMs } of commands) {
          nowMs += stepMs
          if (kind === 'add' && add(window, hashes, nowMs).join() !== model.add(hashes, nowMs).join())
            throw new Error('a verdict is wrong')
          if (kind === 'expire') {
            window.expire(nowMs)
            model.expire(nowMs)
          }
          for (const one of hashes) {
            if (kind === 'forget') {
              window.forget(...one)
              model.times.delete(keyOf(one))
            }
            if (window.has(...one) !== model.times.has(keyOf(one))) throw new Error(`${keyOf(one)} is wrong`)
          }
          if (window.size !== model.times.size) throw new Error('the size is wrong')
        }
        for (const key of model.times.keys()) {
          const [lo, hi] = key.split(' ').map(Number) as [number, number]
          if (!window.has(lo, hi)) throw new Error(`${key} is lost`)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('the hash window remembers an id for the window and at most a thousandth of it longer', () => {
    const windowMs = 1_000_000
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 200 }), (steps) => {
        const window = new HashWindow(windowMs)
        const times: number[] = []
        let nowMs = 0
        for (const step of steps) {
          nowMs += step * 100
          window.expire(nowMs)
          const held = times.map((_, i) => window.has(...nth(i)))
          for (const [i, timeMs] of times.entries()) {
            if (nowMs - timeMs < windowMs && !held[i]) throw new Error(`${i} was forgotten early`)
            if (nowMs - timeMs >= windowMs * 1.001 && held[i]) throw new Error(`${i} was kept too long`)
          }
          expect(window.size).toBe(held.filter(Boolean).length)
          add(window, [nth(times.length)], nowMs)
          times.push(nowMs)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('the hash window keeps 200,000 ids through growth, expiry and shrinking', () => {
    const window = new HashWindow(WINDOW_MS)
    const ids = 200_000
    let added = 0
    for (let i = 0; i < ids; i += 100) added += add(window, range(i, i + 100), i / 100).filter(Boolean).length
    for (let i = 0; i < ids; i += 997) added += add(window, [nth(i)], 2000).filter(Boolean).length
    expect(added).toBe(ids)
    window.expire(1000 + WINDOW_MS)
    expect(window.size).toBe(ids - 100_100)
    expect(window.oldestMs).toBe(1001)
    for (let i = 0; i < ids; i++) if (window.has(...nth(i)) !== i >= 100_100) throw new Error(`${i} is wrong`)
    window.expire(1e9)
    expect(window.size).toBe(0)
    expect(window.oldestMs).toBe(Number.POSITIVE_INFINITY)
    expect(add(window, range(0, 1000), 1e9)).not.toContain(false)
  })

  it('the hash window forgets no id too early when its largest stamp is reached', () => {
    const window = new HashWindow(WINDOW_MS)
    const last = STAMP_MAX + 3 * WINDOW_MS
    for (let ms = 0; ms <= last; ms++) {
      window.expire(ms)
      window.add(Int32Array.from(nth(ms)), ms, new Uint8Array(1))
    }
    expect(window.size).toBe(WINDOW_MS)
    for (let ms = 0; ms <= last; ms++)
      if (window.has(...nth(ms)) !== ms > last - WINDOW_MS) throw new Error(`${ms} is wrong`)
  })

  it('the hash window forgets no id too early when there are more insertion times than stamps', () => {
    const window = new HashWindow(WINDOW_MS)
    const ids = STAMP_MAX + 1000
    for (let ms = 0; ms < ids; ms++) window.add(Int32Array.from(nth(ms)), ms, new Uint8Array(1))
    expect(window.size).toBe(ids)
    for (let ms = 0; ms < ids; ms++) if (!window.has(...nth(ms))) throw new Error(`${ms} is lost`)
    window.expire(WINDOW_MS + ids)
    expect(window.size).toBe(0)
  })

  it('a hash window of one second forgets an id exactly one second after its insertion', () => {
    const window = new HashWindow(WINDOW_MS)
    add(window, [[1, 2]], 5000)
    window.expire(5999)
    expect(window.has(1, 2)).toBe(true)
    window.expire(6000)
    expect(window.has(1, 2)).toBe(false)
  })

  it('the hash window says for how long it remembers ids after it dropped some to save memory', () => {
    const window = new HashWindow(WINDOW_MS)
    for (let i = 0; i < 10; i++) add(window, [[i + 1, 0]], 5000 + i * 10)
    expect(window.coveredMs(5100)).toBe(WINDOW_MS)
    window.dropOldest(4)
    expect(window.size).toBe(6)
    expect(window.coveredMs(5100)).toBe(70)
  })

  it('the hash window drops little more than asked for, even when many ids were inserted at the same time', () => {
    const window = new HashWindow(WINDOW_MS)
    add(window, range(0, 100_000), 5000)
    window.dropOldest(1)
    expect(window.size).toBeGreaterThanOrEqual(100_000 - 256)
    expect(window.size).toBeLessThan(100_000)
  })

  it('the hash window remembers an id for a whole window when it was forgotten and is inserted again', () => {
    const window = new HashWindow(WINDOW_MS)
    add(window, [[9, 9]], 5000)
    window.forget(9, 9)
    expect(add(window, [[9, 9]], 5500)).toEqual([true])
    window.expire(6400)
    expect(window.has(9, 9)).toBe(true)
    window.expire(6500)
    expect(window.has(9, 9)).toBe(false)
  })
})
