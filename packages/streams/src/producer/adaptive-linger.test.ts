import { describe, expect, it } from '@jest/globals'
import { AdaptiveLinger } from './adaptive-linger.js'

/** What it has become after `seconds` of a steady load, looked at every `tickMs`. */
function after(recordsPerSecond: number, { seconds = 1, tickMs = 5, linger = fresh() } = {}): number {
  for (let ms = tickMs; ms <= seconds * 1000; ms += tickMs) {
    clockMs += tickMs
    linger.observe((recordsPerSecond * tickMs) / 1000, clockMs)
  }
  return linger.ms
}

let clockMs = 0
const GROWTH = { recordsPerSecond: 4000, msMax: 10 }
const fresh = (growth = GROWTH) => new AdaptiveLinger({ minMs: 1, growth, nowMs: clockMs })

describe('the linger of an open batch', () => {
  it('is the minimum at low load', () => {
    expect(fresh().ms).toBe(1)
    expect(after(0)).toBe(1)
    expect(after(4_000)).toBe(1)
  })

  it.each([
    [8_000, 2],
    [20_000, 5],
    [40_000, 10],
    [500_000, 10],
  ])('grows by 1 ms for each 4,000 records a second up to its limit, as at %d records/s', (load, wantedMs) => {
    expect(after(load)).toBeCloseTo(wantedMs, 3)
  })

  it.each([
    [3_000, 2],
    [20_000, 13.3],
    [500_000, 20],
  ])('grows as fast and as far as the stream asks for, as at %d records/s', (load, wantedMs) => {
    expect(after(load, { linger: fresh({ recordsPerSecond: 1500, msMax: 20 }) })).toBeCloseTo(wantedMs, 1)
  })

  it('does not depend on how often the load is observed', () => {
    for (const tickMs of [1, 2, 10]) expect(after(20_000, { tickMs })).toBeCloseTo(5, 3)
  })

  it('changes little after a single full tick, and falls again when the load ends', () => {
    const linger = fresh()
    clockMs += 1
    linger.observe(10_000, clockMs)
    expect(linger.ms).toBeLessThan(2.5)
    after(40_000, { linger })
    expect(after(0, { linger })).toBeCloseTo(1, 3)
  })

  it('is constant when its two limits are equal', () => {
    const linger = new AdaptiveLinger({ minMs: 3, growth: { ...GROWTH, msMax: 3 }, nowMs: clockMs })
    expect(after(100_000, { linger })).toBe(3)
  })
})
