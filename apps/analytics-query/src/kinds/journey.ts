import type { MarksQuery } from '../journeys/marks.js'
import { canonicalFilters } from '../query/canonical-key.js'
import type { EventNames } from '../query/event-names.js'

/** What a query about users depends on. */
export function eventsOf({ conditions }: MarksQuery): EventNames {
  const names = new Set<string>()
  for (const { event } of conditions) {
    if (event === null) return '*'
    names.add(event)
  }
  return [...names].sort()
}

/** A query about users as plain data. */
export function canonicalMarks({ fromMs, toMs, conditions, groupBy }: MarksQuery): readonly unknown[] {
  return [
    fromMs,
    toMs,
    conditions.map(({ event, filters }) => [event, canonicalFilters(filters)]),
    groupBy.map(({ name }) => name),
  ]
}

/** Part of a whole; null of nothing. */
export function rateOf(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
