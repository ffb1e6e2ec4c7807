import { QUERY_LIMITS } from '@millrace/contracts'
import { decodePageCursor } from '@millrace/pagination'
import { groupPageOf } from '../query/cell-page.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import { parseCompare } from './parse-compare.js'
import type { QueryKind } from './query-kind.js'
import type { CellDeps } from './time-ordered.js'

/** Every group with its value, ordered by name, so that pages list each group exactly once. */
export const breakdown = ({ runCells, limits }: CellDeps): QueryKind => ({
  parse(request, context) {
    const cursor = decodePageCursor(request.cursor)
    const limit = parseLimit(request.limit, QUERY_LIMITS.breakdownPage)
    const query = parseCellQuery(
      request,
      { interval: 'none', needsGroup: true, cursor },
      { nowMs: context.nowMs, bucketsMax: limits.bucketsMax },
    )
    const isCompared = parseCompare(request.compare)
    const page = isCompared ? undefined : groupPageOf(cursor, { limit, groups: query.groupBy.length })
    return parseCells(
      {
        kind: 'breakdown',
        query: { ...query, page },
        source: { read: runCells },
        limits,
        cursor,
        limit,
        isCompared,
        keyOf: ({ group }) => group,
      },
      context,
    )
  },
})
