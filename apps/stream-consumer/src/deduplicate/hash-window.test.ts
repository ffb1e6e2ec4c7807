import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { HashWindow } from './hash-window.js'

const WINDOW_MS = 1000

/** What a window promises, by the simplest means: insertion times in a Map, which keeps the order of insertion. */
class Model {
  readonly times = new Map<string, number>()
  lastMs = Number.NEGATIVE_INFINITY

  add(lo: number, hi: number, nowMs: number): boolean {
    const key = keyOf(lo, hi)
    if (this.times.has(key)) return false
    this.lastMs = Math.max(this.lastMs, nowMs)
    this.times.set(key, this.lastMs)
    return true
  }

  expire(nowMs: number): void {
    for (const [key, time] of this.times) if (time <= nowMs - WINDOW_MS) this.times.delete(key)
  }
}

// 0,0 shares its place with 1,0.
const keyOf = (lo: number, hi: number): string => ((lo | hi) === 0 ? '1 0' : `${lo} ${hi}`)

// Few shards and few homes, so that runs of colliding hashes form.
const lane = fc.oneof(
  fc.integer({ min: 0, max: 40 }),
  fc.constant(0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
)
const hash = fc.tuple(lane, fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0xffff_ffff })))
const command = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({ kind: fc.constant('add' as const), hash, stepMs: fc.integer({ min: -20, max: 60 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('expire' as const), hash, stepMs: fc.integer({ min: 0, max: 400 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget' as const), hash, stepMs: fc.constant(0) }) },
)

describe('HashWindow', () => {
  it('holds exactly what a map of insertion times would hold', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 400 }), (commands) => {
        const window = new HashWindow(WINDOW_MS)
        const model = new Model()
        let nowMs = 5000
        for (const {
          kind,
          hash: [lo, hi],
          stepMs,
        } of commands) {
          nowMs += stepMs
          if (kind === 'add') expect(window.add(lo, hi, nowMs)).toBe(model.add(lo, hi, nowMs))
          if (kind === 'expire') {
            window.expire(nowMs)
            model.expire(nowMs)
          }
          if (kind === 'forget') {
            window.forget(lo, hi)
            model.times.delete(keyOf(lo, hi))
          }
          expect(window.size).toBe(model.times.size)
          expect(window.has(lo, hi)).toBe(model.times.has(keyOf(lo, hi)))
        }
        for (const key of model.times.keys()) {
          const [lo, hi] = key.split(' ').map(Number) as [number, number]
          expect(window.has(lo, hi)).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('keeps 200,000 ids through growth, expiry and shrinking, over many chunks of its queue', () => {
    const window = new HashWindow(WINDOW_MS)
    const ids = 200_000
    const laneOf = (i: number): [number, number] => [Math.imul(i, 2654435761) >>> 0, Math.imul(i + 7, 2246822507) >>> 0]
    let added = 0
    for (let i = 0; i < ids; i++) if (window.add(...laneOf(i), i / 100)) added++
    for (let i = 0; i < ids; i += 997) if (window.add(...laneOf(i), 2000)) added++
    expect(added).toBe(ids)
    window.expire(1000 + WINDOW_MS)
    // Times are i / 100 ms rounded down, so everything up to time 1000 is gone.
    expect(window.size).toBe(ids - 100_100)
    expect(window.oldestMs).toBe(1001)
    expect(window.has(...laneOf(100_099))).toBe(false)
    expect(window.has(...laneOf(100_100))).toBe(true)
    window.expire(1e9)
    expect(window.size).toBe(0)
    expect(window.oldestMs).toBe(Number.POSITIVE_INFINITY)
  })

  it('forgets an id a window after its insertion to the millisecond, not earlier', () => {
    const window = new HashWindow(WINDOW_MS)
    window.add(1, 2, 5000)
    window.expire(5999)
    expect(window.has(1, 2)).toBe(true)
    window.expire(6000)
    expect(window.has(1, 2)).toBe(false)
  })

  it('says how far back it reaches after dropping ids for want of room', () => {
    const window = new HashWindow(WINDOW_MS)
    for (let i = 0; i < 10; i++) window.add(i + 1, 0, 5000 + i * 10)
    expect(window.coveredMs(5100)).toBe(WINDOW_MS)
    window.dropOldest(4)
    expect(window.size).toBe(6)
    expect(window.coveredMs(5100)).toBe(70)
  })

  it('remembers an id again that was forgotten and came back, for a whole window', () => {
    const window = new HashWindow(WINDOW_MS)
    window.add(9, 9, 5000)
    window.forget(9, 9)
    expect(window.add(9, 9, 5500)).toBe(true)
    window.expire(6400)
    expect(window.has(9, 9)).toBe(true)
    window.expire(6500)
    expect(window.has(9, 9)).toBe(false)
  })
})
