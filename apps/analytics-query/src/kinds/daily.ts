import { DAY_MS, QUERY_LIMITS } from '@millrace/contracts'
import { canonicalPosition, decodePageCursor, takeKeysetPage } from '@millrace/pagination'
import { filterErrors } from '@millrace/query-filters'
import type { ReadDaily } from '../daily-report/read-daily.js'
import { DAILY_DAYS } from '../daily-report/refresh-daily.js'
import { errors } from '../errors.js'
import { canonicalKey } from '../query/canonical-key.js'
import { parseLimit, parseRange, parseZone } from '../query/parse-cell-query.js'
import type { QueryKind, QueryLimits } from './query-kind.js'

const NOTHING = { events: 0, users: 0, avgResponseMs: null }

/**
 * The daily report: events, users and the average response time of each UTC day. A range is widened to whole days; the default is the 90 days of the
 * materialized view, today included. Days without events are 0.
 */
export const daily = ({
  readDaily,
  limits,
}: {
  readonly readDaily: ReadDaily
  readonly limits: QueryLimits
}): QueryKind => ({
  parse(request, context) {
    if (parseZone(request).name !== 'UTC')
      throw errors.INVALID_TIMEZONE({
        message: 'the daily report has UTC days only: use a timeseries for another time zone',
      })
    if (request.filters.length > 0)
      throw filterErrors.TOO_MANY_FILTERS({ message: 'the daily report covers all events and has no filters' })
    const cursor = decodePageCursor(request.cursor)
    const limit = parseLimit(request.limit, QUERY_LIMITS.seriesPage)
    const requested = parseRange(request, { nowMs: context.nowMs, cursor, fromOf: defaultFrom })
    const range = { fromMs: floorDay(requested.fromMs), toMs: floorDay(requested.toMs - 1) + DAY_MS }
    const days = (range.toMs - range.fromMs) / DAY_MS
    if (days > limits.bucketsMax) {
      throw errors.TOO_MANY_BUCKETS({
        message: `the range has ${days} days, at most ${limits.bucketsMax} are allowed`,
        details: { buckets: days, bucketsMax: limits.bucketsMax },
      })
    }
    return {
      kind: 'daily',
      canonicalKey: canonicalKey(context.tenantId, 'daily', [
        range.fromMs,
        range.toMs,
        limit,
        canonicalPosition(cursor),
      ]),
      ...range,
      events: '*',
      async run() {
        const { days: figures, meta } = await readDaily(context, range)
        const starts = Array.from({ length: days }, (_, index) => range.fromMs + index * DAY_MS)
        const { page, nextCursor } = takeKeysetPage(starts, {
          cursor,
          limit,
          toMs: requested.toMs,
          keyOf: (start) => [start],
        })
        const data = page.map((start) => {
          const { events, users, avgResponseMs } = figures.get(start) ?? NOTHING
          const values = { events, users, avg_response_ms: avgResponseMs }
          return { time: new Date(start).toISOString(), value: events, values }
        })
        return { data, nextCursor, meta }
      },
    }
  },
})

function defaultFrom(toMs: number): number {
  return floorDay(toMs - 1) - (DAILY_DAYS - 1) * DAY_MS
}

function floorDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS
}
