import type { Cell, CellQuery } from '../query/cell-query.js'
import { decodeCursor, encodeCursor } from '../query/cursor.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import type { QueryKind } from './query-kind.js'
import { compareGroups, isGroup, isRangeCursor, type RangeCursor, toPoint } from './query-point.js'

interface GroupCursor extends RangeCursor {
  readonly group: (string | null)[]
}

function isGroupCursor(content: unknown): content is GroupCursor {
  return isRangeCursor(content) && isGroup(content.group)
}

const LIMITS = { default: 100, max: 1000 }

/** Every group with its value, in the order of their names, so that all can be walked through page by page. */
export const breakdown: QueryKind = {
  name: 'breakdown',
  parse(request, context) {
    const cursor = decodeCursor(request.cursor, isGroupCursor)
    const limit = parseLimit(request.limit, LIMITS)
    const query = parseCellQuery(request, { interval: 'none', needsGroup: true, range: cursor ?? undefined }, context)
    const arrange = (cells: readonly Cell[]) => toPage(cells, { query, cursor, limit })
    return parseCells({ kind: 'breakdown', query, rest: [limit, cursor?.group ?? null], arrange }, context)
  },
}

interface PageRequest {
  readonly query: CellQuery
  readonly cursor: GroupCursor | null
  readonly limit: number
}

function toPage(cells: readonly Cell[], { query, cursor, limit }: PageRequest) {
  const ordered = [...cells].sort((a, b) => compareGroups(a.group, b.group))
  const rest = cursor === null ? ordered : ordered.filter((cell) => compareGroups(cell.group, cursor.group) > 0)
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    last === undefined || page.length === rest.length
      ? ''
      : encodeCursor({ fromMs: query.fromMs, toMs: query.toMs, group: last.group })
  return { data: page.map((cell) => toPoint(cell, query)), nextCursor }
}
