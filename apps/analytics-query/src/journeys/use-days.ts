import type { TimeRange } from '../plan/plan.js'
import { type MarksQuery, QUARTER_MS } from './marks.js'

const DAY = 86_400_000

/** What packed days can answer of a query's range: marks of quarters of an hour none that the range cuts. May be empty. */
export function packableRange({ fromMs, toMs, grain, conditions }: MarksQuery): TimeRange {
  if (grain === 'event' || conditions.every(({ event }) => event !== null)) return { fromMs, toMs }
  return { fromMs: Math.ceil(fromMs / QUARTER_MS) * QUARTER_MS, toMs: Math.floor(toMs / QUARTER_MS) * QUARTER_MS }
}

/** The parts of a query's range that lie outside the packable range of the days, ascending. */
export function rangesWithout(range: TimeRange, packable: TimeRange, days: readonly string[]): TimeRange[] {
  const ranges: { fromMs: number; toMs: number }[] = []
  let atMs = range.fromMs
  for (const day of [...days].sort()) {
    const startMs = Date.parse(day)
    const fromMs = Math.max(startMs, packable.fromMs)
    const toMs = Math.min(startMs + DAY, packable.toMs)
    if (fromMs >= toMs) continue
    if (fromMs > atMs) ranges.push({ fromMs: atMs, toMs: fromMs })
    atMs = toMs
  }
  if (atMs < range.toMs) ranges.push({ fromMs: atMs, toMs: range.toMs })
  return ranges
}
