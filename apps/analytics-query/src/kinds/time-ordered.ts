import type { RunQueryRequest } from '@millrace/contracts'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { Metric } from '../query/metric.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { decodePageCursor } from './page.js'
import { parseCells } from './parse-cells.js'
import { parseCompare, parseFill } from './parse-compare.js'
import type { KindContext, ParsedQuery } from './query-kind.js'

export interface TimeOrderedRules {
  readonly kind: string
  readonly interval: 'needed' | 'optional'
  readonly metric?: Metric
  /** What to say of a bucket without a record in a query without groups that does not ask for a filling. */
  readonly empty: (query: CellQuery) => Pick<Cell, 'value' | 'values'>
}

const LIMITS = { default: 10_000, max: 10_000 }

/** Cells by time and within it by group, a page at a time. */
export function parseTimeOrdered(request: RunQueryRequest, rules: TimeOrderedRules, context: KindContext): ParsedQuery {
  const { kind, interval, metric } = rules
  const cursor = decodePageCursor(request.cursor, kind)
  const limit = parseLimit(request.limit, LIMITS)
  const query = parseCellQuery(request, { interval, cursor, ...(metric === undefined ? {} : { metric }) }, context)
  return parseCells(
    {
      kind,
      query,
      cursor,
      limit,
      isCompared: parseCompare(request.compare),
      filling: { fill: parseFill(request.fill), empty: rules.empty(query) },
      keyOf: ({ bucket, group }) => [query.bucketStarts[bucket] ?? 0, ...group],
    },
    context,
  )
}
