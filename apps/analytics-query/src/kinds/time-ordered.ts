import type { RunQueryRequest } from '@millrace/contracts'
import type { Cell, CellQuery } from '../query/cell-query.js'
import { decodeCursor, encodeCursor } from '../query/cursor.js'
import type { Metric } from '../query/metric.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import { parseCells } from './parse-cells.js'
import type { KindContext, ParsedQuery } from './query-kind.js'
import { compareGroups, isGroup, isRangeCursor, type RangeCursor, toPoint } from './query-point.js'

interface TimeCursor extends RangeCursor {
  /** Start of the last bucket sent, and its group. */
  readonly time: number
  readonly group: (string | null)[]
}

function isTimeCursor(content: unknown): content is TimeCursor {
  return isRangeCursor(content) && Number.isSafeInteger(content.time) && isGroup(content.group)
}

export interface TimeOrderedRules {
  readonly kind: string
  readonly interval: 'needed' | 'optional'
  readonly metric?: Metric
  /** What to say of a bucket without a record in a query without groups; undefined leaves it out. */
  readonly empty: (query: CellQuery) => Pick<Cell, 'value' | 'values'> | undefined
}

const LIMITS = { default: 10_000, max: 10_000 }

/** Cells by time and within it by group, a page at a time. */
export function parseTimeOrdered(request: RunQueryRequest, rules: TimeOrderedRules, context: KindContext): ParsedQuery {
  const cursor = decodeCursor(request.cursor, isTimeCursor)
  const limit = parseLimit(request.limit, LIMITS)
  const { interval, metric } = rules
  const query = parseCellQuery(
    request,
    { interval, range: cursor ?? undefined, ...(metric === undefined ? {} : { metric }) },
    context,
  )
  const arrange = (cells: readonly Cell[]) => toPage(cells, { query, rules, cursor, limit })
  const rest = [limit, cursor === null ? null : [cursor.time, cursor.group]]
  return parseCells({ kind: rules.kind, query, rest, arrange }, context)
}

interface PageRequest {
  readonly query: CellQuery
  readonly rules: TimeOrderedRules
  readonly cursor: TimeCursor | null
  readonly limit: number
}

function toPage(cells: readonly Cell[], { query, rules, cursor, limit }: PageRequest) {
  const ordered = fillBuckets(cells, query, rules).sort(
    (a, b) => a.bucket - b.bucket || compareGroups(a.group, b.group),
  )
  const rest = cursor === null ? ordered : ordered.filter((cell) => isAfter(cell, cursor, query))
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  const nextCursor =
    last === undefined || page.length === rest.length
      ? ''
      : encodeCursor({
          fromMs: query.fromMs,
          toMs: query.toMs,
          time: query.bucketStarts[last.bucket],
          group: last.group,
        })
  return { data: page.map((cell) => toPoint(cell, query)), nextCursor }
}

function fillBuckets(cells: readonly Cell[], query: CellQuery, rules: TimeOrderedRules): Cell[] {
  const empty = query.groupBy.length === 0 ? rules.empty(query) : undefined
  if (empty === undefined) return [...cells]
  const byBucket = new Map(cells.map((cell) => [cell.bucket, cell]))
  return query.bucketStarts.map((_, bucket) => byBucket.get(bucket) ?? { bucket, group: [], ...empty })
}

function isAfter(cell: Cell, cursor: TimeCursor, query: CellQuery): boolean {
  const time = query.bucketStarts[cell.bucket] ?? 0
  return time > cursor.time || (time === cursor.time && compareGroups(cell.group, cursor.group) > 0)
}
