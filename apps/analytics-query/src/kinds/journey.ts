import type { MarksQuery } from '../journeys/marks.js'
import type { ReadMarks } from '../journeys/read-marks.js'
import { canonicalFilters } from '../query/canonical-key.js'
import type { EventNames } from '../query/event-names.js'
import type { QueryLimits } from './query-kind.js'

/** What kinds over the events of each user are made with. */
export interface JourneyDeps {
  readonly readMarks: ReadMarks
  readonly limits: QueryLimits
}

/** Names of the events that can change the answer. */
export function eventsOf({ conditions }: MarksQuery): EventNames {
  const names = new Set<string>()
  for (const { event } of conditions) {
    if (event === null) return '*'
    names.add(event)
  }
  return [...names].sort()
}

/** A query over the events of each user as plain data, for canonical keys. */
export function canonicalMarks({ fromMs, toMs, conditions, groupBy }: MarksQuery): readonly unknown[] {
  return [
    fromMs,
    toMs,
    conditions.map(({ event, filters }) => [event, canonicalFilters(filters)]),
    groupBy.map(({ name }) => name),
  ]
}

/** A share from 0 to 1; null when the whole is 0. */
export function rateOf(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole
}
