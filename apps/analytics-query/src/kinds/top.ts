import { QUERY_LIMITS } from '@millrace/contracts'
import { compareSortKeys, decodePageCursor, type SortKey } from '@millrace/pagination'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import { parseCompare } from './parse-compare.js'
import type { QueryKind } from './query-kind.js'
import type { CellDeps } from './time-ordered.js'

/**
 * The groups with the greatest values, greatest first, then by name. Groups without a value are left out. Values change while events arrive, so each
 * page has the greatest of the groups that were on no earlier page.
 */
export const top = ({ runCells, limits }: CellDeps): QueryKind => ({
  parse(request, context) {
    const cursor = decodePageCursor(request.cursor, { isRanked: true })
    const limit = parseLimit(request.limit, QUERY_LIMITS.topPage)
    const query = parseCellQuery(
      request,
      { interval: 'none', needsGroup: true, cursor },
      { nowMs: context.nowMs, bucketsMax: limits.bucketsMax },
    )
    const isCompared = parseCompare(request.compare)
    // The groups of earlier pages may now be anywhere among the first ones. One more group shows whether this is the last page.
    const wanted = (cursor?.shown?.count ?? 0) + limit + 1
    const isWhole = isCompared || wanted > limits.cellsMax
    const page = isWhole ? undefined : ({ order: 'value', limit: wanted, after: null } as const)
    return parseCells(
      {
        kind: 'top',
        query: { ...query, page },
        source: { read: runCells },
        limits,
        cursor,
        limit,
        isCompared,
        keyOf: ({ value, group }) => [value, ...group],
        compare: compareRanks,
        isRanked: true,
        isShown: ({ value }) => value !== null,
      },
      context,
    )
  },
})

function compareRanks([value, ...group]: SortKey, [otherValue, ...otherGroup]: SortKey): number {
  return compareSortKeys([otherValue ?? null], [value ?? null]) || compareSortKeys(group, otherGroup)
}
