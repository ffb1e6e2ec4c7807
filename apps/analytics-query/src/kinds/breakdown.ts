import { groupPlaceOf } from '../query/cell-page.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { decodePageCursor } from './page.js'
import { parseCells } from './parse-cells.js'
import { parseCompare } from './parse-compare.js'
import type { QueryKind } from './query-kind.js'

const LIMITS = { default: 100, max: 1000 }

/** Every group with its value, in the order of their names, so that all can be walked through page by page. */
export const breakdown: QueryKind = {
  name: 'breakdown',
  parse(request, context) {
    const cursor = decodePageCursor(request.cursor, 'breakdown')
    const limit = parseLimit(request.limit, LIMITS)
    const query = parseCellQuery(request, { interval: 'none', needsGroup: true, cursor }, context)
    const isCompared = parseCompare(request.compare)
    const after = cursor && groupPlaceOf(cursor, query.groupBy.length)
    // One more, to know whether the page is the last.
    const page = isCompared || after === undefined ? undefined : ({ order: 'group', limit: limit + 1, after } as const)
    return parseCells(
      { kind: 'breakdown', query: { ...query, page }, cursor, limit, isCompared, keyOf: ({ group }) => group },
      context,
    )
  },
}
