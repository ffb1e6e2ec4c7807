import { describe, expect, it } from '@jest/globals'
import { firstWindow, nextWindow, type Window } from './time-windows.js'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 21, 12)

/** Walks through times of rows as listEvents does; returns the windows. */
function walk(
  times: readonly number[],
  wanted: number,
  bounds = { fromMs: NOW - 400 * DAY, toMs: NOW + 2 * DAY },
): Window[] {
  const windows: Window[] = []
  let found = 0
  let window = firstWindow(bounds, { nowMs: NOW, widthMs: 1000 })
  while (window !== null && found < wanted) {
    windows.push(window)
    const { fromMs, toMs } = window
    const foundInLast = times.filter((time) => time >= fromMs && time < toMs).length
    found += foundInLast
    window = nextWindow(window, bounds, { foundInLast, missing: wanted - found })
  }
  return windows
}

describe('the windows of time in which a list is read', () => {
  it('cover the bounds without a gap, from the end to the start', () => {
    const windows = walk([], 1)
    expect(windows[0]?.toMs).toBe(NOW + 2 * DAY)
    expect(windows.at(-1)?.fromMs).toBe(NOW - 400 * DAY)
    expect(windows.slice(1).map(({ toMs }) => toMs)).toEqual(windows.slice(0, -1).map(({ fromMs }) => fromMs))
  })

  it.each<[string, number[]]>([
    ['nothing', []],
    ['a single row just now', [NOW - 10]],
    ['rows just now and one row a year ago', [NOW - 10, NOW - 20, NOW - 365 * DAY]],
    ['a row a day', Array.from({ length: 90 }, (_, index) => NOW - index * DAY)],
  ])('are few when the table holds %s', (_title, times) => {
    expect(walk(times, times.length + 1).length).toBeLessThan(30)
  })

  it('hold little more than the page when there are many rows', () => {
    const windows = walk(
      Array.from({ length: 100_000 }, (_, index) => NOW - index),
      101,
    )
    expect(windows).toHaveLength(1)
    expect(windows[0]?.fromMs).toBe(NOW - 1000)
  })
})
