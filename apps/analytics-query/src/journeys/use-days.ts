import { DAY_MS } from '@millrace/contracts'
import type { TimeRange } from '../query/time-range.js'
import { type MarksQuery, QUARTER_MS } from './marks.js'

/**
 * What packed days can answer of a query's range; may be empty. Of quarters of an hour none that the range cuts, and of days with visits none that it ends
 * in: where it begins does not matter, since a visit that began before counts no more than what was before it.
 */
export function packableRange({ fromMs, toMs, grain, conditions }: MarksQuery): TimeRange {
  if (grain === 'visit') return { fromMs, toMs: Math.floor(toMs / DAY_MS) * DAY_MS }
  if (grain === 'event' || conditions.every(({ event }) => event !== null)) return { fromMs, toMs }
  return { fromMs: Math.ceil(fromMs / QUARTER_MS) * QUARTER_MS, toMs: Math.floor(toMs / QUARTER_MS) * QUARTER_MS }
}

/** The parts of days that lie in a range. */
export function rangesOf(days: readonly string[], range: TimeRange): TimeRange[] {
  return days.map((day) => {
    const startMs = Date.parse(day)
    return { fromMs: Math.max(startMs, range.fromMs), toMs: Math.min(startMs + DAY_MS, range.toMs) }
  })
}

/** The parts of a range that lie in none of the others, ascending. */
export function rangesWithout(range: TimeRange, others: readonly TimeRange[]): TimeRange[] {
  const ranges: TimeRange[] = []
  let atMs = range.fromMs
  for (const { fromMs, toMs } of [...others].sort((a, b) => a.fromMs - b.fromMs)) {
    if (fromMs >= toMs) continue
    if (fromMs > atMs) ranges.push({ fromMs: atMs, toMs: fromMs })
    atMs = toMs
  }
  if (atMs < range.toMs) ranges.push({ fromMs: atMs, toMs: range.toMs })
  return ranges
}
