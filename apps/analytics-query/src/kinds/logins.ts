import { QUERY_LIMITS } from '@millrace/contracts'
import { decodePageCursor } from '@millrace/pagination'
import { parseLoginField } from '../logins/login-fields.js'
import type { ReadLogins } from '../logins/read-logins.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import { parseCompare, parseFill } from './parse-compare.js'
import type { QueryKind, QueryLimits } from './query-kind.js'

/** Login attempts, from the table that `$login` events fill: over time, by method, device, browser and os, with a summary of the range. */
export const logins = ({
  readLogins,
  limits,
}: {
  readonly readLogins: ReadLogins
  readonly limits: QueryLimits
}): QueryKind => ({
  parse(request, context) {
    const cursor = decodePageCursor(request.cursor)
    const limit = parseLimit(request.limit, QUERY_LIMITS.seriesPage)
    const query = parseCellQuery(
      { ...request, event: '$login' },
      {
        interval: 'optional',
        metric: { agg: 'count', property: null },
        cursor,
        parsePath: parseLoginField,
      },
      { nowMs: context.nowMs, bucketsMax: limits.bucketsMax },
    )
    const none = { succeeded: 0, failed: 0, success_rate: null, users: 0 }
    return parseCells(
      {
        kind: 'logins',
        query,
        source: { read: readLogins },
        limits,
        cursor,
        limit,
        isCompared: parseCompare(request.compare),
        filling: { fill: parseFill(request.fill), empty: { value: 0, values: none } },
        keyOf: ({ bucket, group }) => [query.bucketStarts[bucket] ?? 0, ...group],
      },
      context,
    )
  },
})
