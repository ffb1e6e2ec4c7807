import type { RunQueryRequest } from '@millrace/contracts'
import { errors } from '../errors.js'
import { type MarksQuery, QUARTER_MS } from '../journeys/marks.js'
import type { ReadMarks } from '../journeys/read-marks.js'
import { type BucketRequest, listBuckets, parseInterval, parseWeekStart, type WeekStart } from '../query/buckets.js'
import { canonicalFilters } from '../query/canonical-key.js'
import type { EventNames } from '../query/event-names.js'
import type { QueryLimits } from './query-kind.js'

/** What kinds over the events of each user are made with. */
export interface JourneyDeps {
  readonly readMarks: ReadMarks
  readonly limits: QueryLimits
}

/** A leap year in days that starts and ends within a day. */
const PERIODS_MAX = 367

/** Starts of the days (the default), weeks or months that a range touches. @throws INVALID_INTERVAL, TOO_MANY_BUCKETS */
export function parsePeriods(
  request: Pick<RunQueryRequest, 'kind' | 'interval' | 'weekStart'>,
  { fromMs, toMs, zone, bucketsMax }: Omit<BucketRequest, 'interval' | 'weekStart'>,
): { readonly interval: PeriodInterval; readonly weekStart: WeekStart; readonly starts: readonly number[] } {
  const interval = parseInterval(request.interval === '' ? '1d' : request.interval)
  if (interval !== '1d' && interval !== '1w' && interval !== '1mo')
    throw errors.INVALID_INTERVAL({
      message: `a ${request.kind} query takes the intervals 1d, 1w and 1mo, not ${interval}`,
    })
  const weekStart = parseWeekStart(request.weekStart)
  return {
    interval,
    weekStart,
    starts: listBuckets({ fromMs, toMs, interval, zone, weekStart, bucketsMax: Math.min(bucketsMax, PERIODS_MAX) }),
  }
}

type PeriodInterval = '1d' | '1w' | '1mo'

/**
 * Which events are needed to tell in which periods a user was active. When all periods start at a quarter of an hour, the first event of each quarter is
 * enough. The start of the first period does not matter, because events before the range are not read.
 */
export function periodGrain([, ...starts]: readonly number[]): MarksQuery['grain'] {
  return starts.every((ms) => ms % QUARTER_MS === 0) ? 'quarter' : 'event'
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
