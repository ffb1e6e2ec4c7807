import type { Cell, CellQuery } from '../query/cell-query.js'
import { decodeCursor, encodeCursor } from '../query/cursor.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import type { QueryKind } from './query-kind.js'
import { compareGroups, isGroup, isRangeCursor, type RangeCursor, toPoint } from './query-point.js'

interface RankCursor extends RangeCursor {
  readonly value: number
  readonly group: (string | null)[]
}

function isRankCursor(content: unknown): content is RankCursor {
  return isRangeCursor(content) && Number.isFinite(content.value) && isGroup(content.group)
}

const LIMITS = { default: 10, max: 1000 }

/** The groups with the greatest values, greatest first, equal ones by name. Groups without a value are left out. */
export const top: QueryKind = {
  name: 'top',
  parse(request, context) {
    const cursor = decodeCursor(request.cursor, isRankCursor)
    const limit = parseLimit(request.limit, LIMITS)
    const query = parseCellQuery(request, { interval: 'none', needsGroup: true, range: cursor ?? undefined }, context)
    const arrange = (cells: readonly Cell[]) => toPage(cells, { query, cursor, limit })
    const rest = [limit, cursor === null ? null : [cursor.value, cursor.group]]
    return parseCells({ kind: 'top', query, rest, arrange }, context)
  },
}

interface PageRequest {
  readonly query: CellQuery
  readonly cursor: RankCursor | null
  readonly limit: number
}

function toPage(cells: readonly Cell[], { query, cursor, limit }: PageRequest) {
  const ranked = cells.filter(hasValue).sort(compareRanks)
  const rest = cursor === null ? ranked : ranked.filter((cell) => compareRanks(cell, cursor) > 0)
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    last === undefined || page.length === rest.length
      ? ''
      : encodeCursor({ fromMs: query.fromMs, toMs: query.toMs, value: last.value, group: last.group })
  return { data: page.map((cell) => toPoint(cell, query)), nextCursor }
}

interface Ranked {
  readonly value: number
  readonly group: readonly (string | null)[]
}

function hasValue(cell: Cell): cell is Cell & Ranked {
  return cell.value !== null
}

function compareRanks(a: Ranked, b: Ranked): number {
  return b.value - a.value || compareGroups(a.group, b.group)
}
