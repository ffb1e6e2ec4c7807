import type { QueryKindName } from '@millrace/contracts'
import { canonicalPosition, type PageCursor, type SortKey, takeKeysetPage, takeRankedPage } from '@millrace/pagination'
import type { AnswerMeta } from '../query/answer-meta.js'
import { type Interval, isClockInterval, listBuckets } from '../query/buckets.js'
import { canonicalCells, canonicalEarlier, canonicalKey } from '../query/canonical-key.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import {
  alignByLocalTime,
  alignByNumber,
  type ComparedBuckets,
  type PreviousRange,
  previousRange,
} from '../query/previous-range.js'
import type { TimeRange } from '../query/time-range.js'
import { readAllOrNone } from '../reads/read-all-or-none.js'
import { type ReadScope, readTogether } from '../reads/read-scope.js'
import { fillCells, keyOfCell } from './fill-cells.js'
import { mergeMetas } from './merge-metas.js'
import { type Fill, WITHOUT_COMPARE } from './parse-compare.js'
import type { KindContext, ParsedQuery, QueryLimits } from './query-kind.js'
import { toPoint } from './query-point.js'

/** Where the cells of a kind come from. */
export interface CellSource {
  /** @throws databaseErrors, TOO_MANY_GROUPS */
  readonly read: (
    scope: ReadScope,
    query: CellQuery,
  ) => Promise<{ readonly cells: readonly Cell[]; readonly meta: AnswerMeta; readonly summary?: unknown }>
  /** Events outside this range do not change the answer. Default: the range of the query. */
  readonly rangeOf?: (query: CellQuery) => TimeRange
  /** Plain data that changes the answer besides the query itself; part of the canonical key. */
  readonly settings?: unknown
}

/** How a kind makes its answer from cells. */
export interface CellsQuestion {
  readonly kind: QueryKindName
  readonly query: CellQuery
  readonly source: CellSource
  readonly limits: QueryLimits
  readonly cursor: PageCursor | null
  readonly limit: number
  readonly isCompared: boolean
  /** Points for buckets without events; absent: none. */
  readonly filling?: { readonly fill: Fill | null; readonly empty: Pick<Cell, 'value' | 'values'> }
  readonly keyOf: (cell: Cell) => SortKey
  readonly compare?: (a: SortKey, b: SortKey) => number
  /** Whether the order of the groups changes while events arrive. Only for queries without buckets. */
  readonly isRanked?: boolean
  /** Whether a cell is part of the answer. Default: all cells are. */
  readonly isShown?: (cell: Cell) => boolean
}

/** A query that is answered from cells: those of its range and, with a comparison, those of the previous period in the same snapshot. */
export function parseCells(question: CellsQuestion, context: KindContext): ParsedQuery {
  const { kind, query, cursor, limit, limits, filling, source } = question
  const earlier = question.isCompared ? earlierQuery(query, limits.bucketsMax) : null
  const compared = canonicalEarlier(earlier?.query ?? null)
  const rest = [limit, canonicalPosition(cursor), filling?.fill ?? null, compared, source.settings ?? null]
  const rangeOf = (one: CellQuery): TimeRange => source.rangeOf?.(one) ?? one
  return {
    kind,
    canonicalKey: canonicalKey(context.tenantId, kind, [...canonicalCells(query), rest]),
    fromMs: Math.min(rangeOf(query).fromMs, rangeOf(earlier?.query ?? query).fromMs),
    toMs: query.toMs,
    events: query.event === null ? '*' : [query.event],
    run: () => (earlier === null ? runPlain(question, context) : runCompared(question, earlier, context)),
  }
}

interface Earlier {
  readonly query: CellQuery
  /** For each bucket, the index of its counterpart in the earlier query; null without one. */
  readonly bucketOf: readonly (number | null)[]
}

function earlierQuery(query: CellQuery, bucketsMax: number): Earlier {
  const range = previousRange(query)
  const { fromMs, toMs } = range
  const { starts, bucketOf } = alignBuckets(query, range, bucketsMax)
  return { query: { ...query, fromMs, toMs, bucketStarts: starts }, bucketOf }
}

function alignBuckets(query: CellQuery, range: PreviousRange, bucketsMax: number): ComparedBuckets {
  const { fromMs, toMs } = range
  const { interval } = query
  if (interval === null) return { starts: [fromMs], bucketOf: [0] }
  if (isClockInterval(interval)) return alignByLocalTime(query, range)
  return alignByNumber(query, bucketsOf({ ...query, fromMs, toMs }, interval, bucketsMax))
}

/** The previous period may have more buckets than the range when the clocks changed in it. */
function bucketsOf(
  { fromMs, toMs, zone, weekStart = 'monday' }: CellQuery,
  interval: Interval,
  bucketsMax: number,
): number[] {
  return listBuckets({ fromMs, toMs, interval, zone, weekStart, bucketsMax: bucketsMax + 2 })
}

async function runPlain(question: CellsQuestion, context: KindContext) {
  const read = await question.source.read(context, question.query)
  const { page, nextCursor } = pageOf(question, read.cells)
  return { data: page.map((cell) => toPoint(cell, question.query)), ...summaryOf(read), nextCursor, meta: read.meta }
}

async function runCompared(question: CellsQuestion, earlier: Earlier, context: KindContext) {
  const read = (query: CellQuery) => (scope: ReadScope) => question.source.read(scope, query)
  const readings = [read(question.query), read(earlier.query)] as const
  const [current, before] = await readTogether(context, (scope) => readAllOrNone(scope, readings, WITHOUT_COMPARE))
  const { page, nextCursor } = pageOf(question, current.cells)
  const known = new Map(filled(question, before.cells, earlier.query).map((cell) => [keyOfCell(cell), cell.value]))
  const data = page.map((cell) => {
    const bucket = earlier.bucketOf[cell.bucket] ?? null
    const previous = bucket === null ? null : (known.get(keyOfCell({ bucket, group: cell.group })) ?? null)
    return { ...toPoint(cell, question.query), previous }
  })
  const meta: AnswerMeta = mergeMetas(current.meta, before.meta)
  return { data, ...summaryOf(current), nextCursor, meta }
}

function summaryOf(read: object): { readonly summary?: unknown } {
  return 'summary' in read ? { summary: read.summary } : {}
}

function pageOf(question: CellsQuestion, cells: readonly Cell[]) {
  const { query, cursor, limit, keyOf, compare, isRanked, isShown } = question
  const all = filled(question, cells, query)
  const shown = isShown === undefined ? all : all.filter(isShown)
  const request = { cursor, limit, toMs: query.toMs, keyOf, compare }
  return isRanked === true
    ? takeRankedPage(shown, { ...request, nameOf: ({ group }) => JSON.stringify(group) })
    : takeKeysetPage(shown, request)
}

function filled({ filling, limits }: CellsQuestion, cells: readonly Cell[], query: CellQuery) {
  return filling === undefined ? cells : fillCells(cells, query, { ...filling, cellsMax: limits.cellsMax })
}
