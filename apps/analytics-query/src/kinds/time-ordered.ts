import { QUERY_LIMITS, type QueryKindName, type RunQueryRequest } from '@millrace/contracts'
import { decodePageCursor } from '@millrace/pagination'
import type { RunCells } from '../cells/run-cells.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { Metric } from '../query/metric.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import { parseCompare, parseFill } from './parse-compare.js'
import type { KindContext, ParsedQuery, QueryLimits } from './query-kind.js'

/** What kinds over rollups and raw rows are made with. */
export interface CellDeps {
  readonly runCells: RunCells
  readonly limits: QueryLimits
}

export interface TimeOrderedRules {
  readonly kind: QueryKindName
  readonly interval: 'needed' | 'optional'
  readonly metric?: Metric
  /** The value of an empty bucket when the request has neither groups nor `fill`. */
  readonly empty: (query: CellQuery) => Pick<Cell, 'value' | 'values'>
}

/** Pages of cells, ordered by time and then by group. */
export function parseTimeOrdered(
  request: RunQueryRequest,
  rules: TimeOrderedRules,
  { runCells, limits, context }: CellDeps & { readonly context: KindContext },
): ParsedQuery {
  const { kind, interval, metric } = rules
  const cursor = decodePageCursor(request.cursor)
  const limit = parseLimit(request.limit, QUERY_LIMITS.seriesPage)
  const query = parseCellQuery(
    request,
    { interval, cursor, ...(metric === undefined ? {} : { metric }) },
    { nowMs: context.nowMs, bucketsMax: limits.bucketsMax },
  )
  return parseCells(
    {
      kind,
      query,
      source: { read: runCells },
      limits,
      cursor,
      limit,
      isCompared: parseCompare(request.compare),
      filling: { fill: parseFill(request.fill), empty: rules.empty(query) },
      keyOf: ({ bucket, group }) => [query.bucketStarts[bucket] ?? 0, ...group],
    },
    context,
  )
}
