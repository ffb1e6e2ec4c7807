import type { TimeRange } from '../plan/plan.js'
import type { MarkChunk, MarksQuery } from './marks.js'
import { dayOf, type PackedDayRow } from './packed-days-statement.js'

const DAY = 86_400_000

/** The marks of packed days, cut to the query's range. */
export function toDayChunks(rows: readonly PackedDayRow[], query: MarksQuery): MarkChunk[] {
  const { fromMs, toMs } = query
  return rows.flatMap(({ day, event, marks }) => {
    if (event === null || marks === null) return []
    return [
      {
        mask: maskOf(event, query),
        group: 0,
        layout: { of: 'day', startMs: Date.parse(day), fromMs, toMs },
        bytes: marks,
      },
    ]
  })
}

/** Every event is any event too. With marks of any event by quarters, an event's own marks are among those as well: they say when exactly it was. */
function maskOf(event: string, { conditions }: MarksQuery): number {
  let mask = 0
  conditions.forEach((condition, index) => {
    if (condition.event === null || condition.event === event) mask |= 1 << index
  })
  return mask
}

/** The parts of a query's range that lie in none of the days, ascending. */
export function rangesWithout({ fromMs, toMs }: TimeRange, days: readonly string[]): TimeRange[] {
  const known = new Set(days)
  const ranges: { fromMs: number; toMs: number }[] = []
  for (let start = Math.floor(fromMs / DAY) * DAY; start < toMs; start += DAY) {
    if (known.has(dayOf(start))) continue
    const last = ranges.at(-1)
    const end = Math.min(start + DAY, toMs)
    if (last !== undefined && last.toMs === start) last.toMs = end
    else ranges.push({ fromMs: Math.max(start, fromMs), toMs: end })
  }
  return ranges
}
