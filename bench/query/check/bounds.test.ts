import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  funnelBounds,
  type KeyBounds,
  quantileBounds,
  retentionBounds,
  sessionBounds,
  stepsReached,
  uniquesBounds,
} from './bounds.js'

interface Row {
  readonly timeMs: number
  readonly step: number
}

const rows = fc.array(fc.record({ timeMs: fc.integer({ min: 0, max: 60 }), step: fc.nat({ max: 2 }) }), {
  maxLength: 7,
})
/** Rows that must be there, rows that may, and which of those are. */
const worlds = fc.tuple(rows, rows, fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }))
const held = (must: readonly Row[], may: readonly Row[], isThere: readonly boolean[]): Row[] => [
  ...must,
  ...may.filter((_, index) => isThere[index]),
]

/** Every key of `actual` is within its bounds, and none that must be there is missing. */
function expectInside(actual: ReadonlyMap<string, number>, bounds: readonly KeyBounds[]): void {
  const known = new Map(bounds.map(({ key, ...one }) => [key, one]))
  for (const key of new Set([...actual.keys(), ...known.keys()])) {
    const { least, most } = known.get(key) ?? { least: 0, most: 0 }
    const value = actual.get(key) ?? 0
    expect([key, value >= least && value <= most]).toEqual([key, true])
  }
}

describe('the bounds of an answer', () => {
  it('the bounds contain the funnel of every possible set of rows', () => {
    fc.assert(
      fc.property(worlds, ([must, may, isThere]) => {
        const windowMs = 20
        const all = held(must, may, isThere)
        for (const areTiesOrdered of [true, false]) {
          const reached = stepsReached(all, { windowMs, areTiesOrdered })
          const steps = new Map(Array.from({ length: reached }, (_, step) => [String(step), 1]))
          expectInside(steps, funnelBounds(must, may, { windowMs }))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('the bounds contain the retention of every possible set of rows', () => {
    const periodOf = (timeMs: number) => Math.floor(timeMs / 10)
    fc.assert(
      fc.property(worlds, ([must, may, isThere]) => {
        const periods = [...new Set(held(must, may, isThere).map(({ timeMs }) => periodOf(timeMs)))]
        const cohort = Math.min(...periods)
        const actual = new Map(periods.map((period) => [`${cohort} ${period - cohort}`, 1]))
        expectInside(actual, retentionBounds(must, may, { periodOf }))
      }),
      { numRuns: 500 },
    )
  })

  it('the bounds contain the sessions of every possible set of rows', () => {
    const [fromMs, gapMs] = [10, 10]
    fc.assert(
      fc.property(worlds, ([must, may, isThere]) => {
        const times = held(must, may, isThere)
          .map(({ timeMs }) => timeMs)
          .sort((a, b) => a - b)
        const begins = times.filter((timeMs, i) => timeMs >= fromMs && !(timeMs - (times[i - 1] ?? -99) < gapMs)).length
        const actual = new Map([
          ['sessions', begins],
          ['users', Math.min(1, begins)],
        ])
        expectInside(actual, sessionBounds(must, may, { fromMs, gapMs }))
      }),
      { numRuns: 500 },
    )
  })

  it('the bounds contain the quantiles of every possible set of rows', () => {
    fc.assert(
      fc.property(worlds, fc.constantFrom(0.5, 0.95, 0.99), ([must, may, isThere], q) => {
        const numbersOf = (some: readonly Row[]) => some.map(({ timeMs }) => timeMs - 20).sort((a, b) => a - b)
        const all = numbersOf(held(must, may, isThere))
        const bounds = quantileBounds(numbersOf(must), numbersOf(may), q)
        if (all.length === 0) return
        const value = all[Math.max(Math.ceil(q * all.length), 1) - 1] as number
        expect(value).toBeGreaterThanOrEqual(bounds?.least ?? Number.NaN)
        expect(value).toBeLessThanOrEqual(bounds?.most ?? Number.NaN)
      }),
      { numRuns: 1000 },
    )
  })

  it('the bounds leave one value when every row is known', () => {
    const at = (timeMs: number, step = 0) => ({ timeMs, step })
    expect(funnelBounds([at(1), at(2, 1)], [], { windowMs: 5 })).toEqual([
      { key: '0', least: 1, most: 1 },
      { key: '1', least: 1, most: 1 },
    ])
    const periodOf = (timeMs: number) => timeMs
    expect(retentionBounds([at(1), at(3)], [], { periodOf })).toEqual([
      { key: '1 0', least: 1, most: 1 },
      { key: '1 2', least: 1, most: 1 },
    ])
    expect(sessionBounds([at(1), at(2), at(9)], [], { fromMs: 0, gapMs: 5 })[0]).toEqual({
      key: 'sessions',
      least: 2,
      most: 2,
    })
    expect(quantileBounds([100, 200, 300], [], 0.5)).toEqual({ least: 198, most: 202 })
    expect(uniquesBounds(1000, ['a', 'a'], ['b'])).toEqual({ least: 959, most: 1044 })
  })
})
