import { cellPageOf } from '../query/cell-page.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { compareKeys, decodePageCursor, type SortKey } from './page.js'
import { parseCells } from './parse-cells.js'
import { parseCompare } from './parse-compare.js'
import type { QueryKind } from './query-kind.js'

const LIMITS = { default: 10, max: 1000 }

/** The groups with the greatest values, greatest first, equal ones by name. Groups without a value are left out. */
export const top: QueryKind = {
  name: 'top',
  parse(request, context) {
    const cursor = decodePageCursor(request.cursor, 'top')
    const limit = parseLimit(request.limit, LIMITS)
    const query = parseCellQuery(request, { interval: 'none', needsGroup: true, cursor }, context)
    const isCompared = parseCompare(request.compare)
    const page = isCompared ? undefined : cellPageOf('value', { cursor, limit, groups: query.groupBy.length })
    return parseCells(
      {
        kind: 'top',
        query: { ...query, page },
        cursor,
        limit,
        isCompared,
        keyOf: ({ value, group }) => [value, ...group],
        compare: compareRanks,
        isShown: ({ value }) => value !== null,
      },
      context,
    )
  },
}

function compareRanks([value, ...group]: SortKey, [otherValue, ...otherGroup]: SortKey): number {
  return compareKeys([otherValue ?? null], [value ?? null]) || compareKeys(group, otherGroup)
}
