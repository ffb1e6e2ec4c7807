import { type PointOf, QUERY_LIMITS, type RunQueryRequest, type SummaryOf } from '@millrace/contracts'
import {
  type Block,
  canonicalPosition,
  decodePageCursor,
  type PageCursor,
  type SortKey,
  takeBlockPage,
} from '@millrace/pagination'
import type { MarksQuery } from '../journeys/marks.js'
import { createBlockTurns } from '../journeys/turns.js'
import { toUserLists } from '../journeys/user-lists.js'
import { walkStickiness } from '../journeys/walk-stickiness.js'
import { listBuckets } from '../query/buckets.js'
import { canonicalEarlier, canonicalKey } from '../query/canonical-key.js'
import { parseFilters } from '../query/filter.js'
import {
  type ParseContext,
  parseEventName,
  parseGroupBy,
  parseLimit,
  parseRange,
  parseZone,
} from '../query/parse-cell-query.js'
import { previousRange } from '../query/previous-range.js'
import { readAllOrNone } from '../reads/read-all-or-none.js'
import { type ReadScope, readTogether } from '../reads/read-scope.js'
import { canonicalMarks, eventsOf, type JourneyDeps, parsePeriods, periodGrain, rateOf } from './journey.js'
import { mergeMetas } from './merge-metas.js'
import { parseCompare, WITHOUT_COMPARE } from './parse-compare.js'
import type { KindContext, QueryKind } from './query-kind.js'
import { toGroup } from './query-point.js'

/** On how many days, weeks or months of the range each user was active. A user counts once in each group, by the periods with its events there. */
export const stickiness = (deps: JourneyDeps): QueryKind => ({
  parse(request, context) {
    const question = parseStickiness(request, { nowMs: context.nowMs, bucketsMax: deps.limits.bucketsMax })
    const { current, earlier, limit, cursor } = question
    return {
      kind: 'stickiness',
      canonicalKey: canonicalKey(context.tenantId, 'stickiness', [
        canonicalMarks(current.query),
        current.starts,
        limit,
        canonicalPosition(cursor),
        canonicalEarlier(earlier?.query ?? null),
        earlier?.starts ?? null,
      ]),
      fromMs: earlier?.query.fromMs ?? current.query.fromMs,
      toMs: current.query.toMs,
      events: eventsOf(current.query),
      run: () => runStickiness(question, { ...deps, context }),
    }
  },
})

/** A range and the starts of its periods. */
interface Span {
  readonly query: MarksQuery
  readonly starts: readonly number[]
}

interface StickinessQuestion {
  readonly current: Span
  /** The previous period, with a comparison. */
  readonly earlier: Span | null
  readonly limit: number
  readonly cursor: PageCursor | null
}

function parseStickiness(request: RunQueryRequest, { nowMs, bucketsMax }: ParseContext): StickinessQuestion {
  const cursor = decodePageCursor(request.cursor)
  const { fromMs, toMs } = parseRange(request, { nowMs, cursor })
  const zone = parseZone(request)
  const { interval, weekStart, starts } = parsePeriods(request, { fromMs, toMs, zone, bucketsMax })
  const conditions = [{ event: parseEventName(request.event), filters: parseFilters(request.filters) }]
  const groupBy = parseGroupBy(request.groupBy, false)
  const spanOf = (range: { fromMs: number; toMs: number }, own: readonly number[]): Span => ({
    query: { ...range, conditions, groupBy, grain: periodGrain(own), cellsPerGroup: own.length },
    starts: own,
  })
  const before = parseCompare(request.compare) ? previousRange({ fromMs, toMs, interval, zone }) : null
  const previous = before && { fromMs: before.fromMs, toMs: before.toMs }
  return {
    current: spanOf({ fromMs, toMs }, starts),
    // The previous range may touch more periods, because months have different lengths and clocks change.
    earlier:
      previous &&
      spanOf(previous, listBuckets({ ...previous, interval, zone, weekStart, bucketsMax: starts.length + 2 })),
    limit: parseLimit(request.limit, QUERY_LIMITS.seriesPage),
    cursor,
  }
}

async function runStickiness(
  { current, earlier, limit, cursor }: StickinessQuestion,
  { context, ...deps }: JourneyDeps & { readonly context: KindContext },
) {
  const [counted, before] = await readTogether(context, (scope) => {
    const count = (span: Span) => (part: ReadScope) => countPeriods(span, { scope: part, ...deps })
    const nothing = () => Promise.resolve(null)
    return readAllOrNone(scope, [count(current), earlier === null ? nothing : count(earlier)] as const, WITHOUT_COMPARE)
  })
  const { page, nextCursor } = await takeBlockPage(toBlocks(current, counted.groups, before?.groups), {
    cursor,
    limit,
    toMs: current.query.toMs,
    pause: createBlockTurns(),
    keyOf: ({ key, point: { periods } }) => [...key, periods],
  })
  const meta = before === null ? counted.meta : mergeMetas(counted.meta, before.meta)
  const summary: SummaryOf<'stickiness'> = { users: counted.users, periods: current.starts.length }
  return { data: page.map(({ point }) => point), summary, nextCursor, meta }
}

/** Users by their number of active periods, from 1; by group as JSON text, and computed only for the groups of a page. */
type CountsByGroup = ReadonlyMap<string, () => readonly number[]>

async function countPeriods(
  { query, starts }: Span,
  { scope, readMarks, limits }: JourneyDeps & { readonly scope: ReadScope },
) {
  const { marks, meta } = await readMarks(scope, query)
  const lists = await toUserLists(marks.chunks, query.conditions.length)
  const { active, users } = await walkStickiness(lists, { starts, cellsMax: limits.cellsMax })
  const groups = new Map<string, () => readonly number[]>()
  // Without groups there is always one, even when nobody was active.
  for (const group of query.groupBy.length === 0 ? [0] : active.groups)
    groups.set(JSON.stringify(marks.groups[group]), () => active.countsOf(group))
  return { groups, users, meta }
}

interface PeriodsPoint {
  readonly key: SortKey
  readonly point: PointOf<'stickiness'>
}

function* toBlocks(
  { query }: Span,
  groups: CountsByGroup,
  before: CountsByGroup | undefined,
): Generator<Block<PeriodsPoint>> {
  for (const [text, countsOf] of groups) {
    const key = JSON.parse(text) as (string | null)[]
    yield {
      key,
      items() {
        const group = toGroup(query.groupBy, key)
        const counts = countsOf()
        const earlier = before?.get(text)?.()
        const users = counts.reduce((sum, value) => sum + value, 0)
        let left = users
        return counts.map((value, index) => {
          const values = { rate: rateOf(value, users), users_cumulative: left }
          left -= value
          const previous = before === undefined ? {} : { previous: earlier?.[index] ?? null }
          return { key, point: { periods: index + 1, ...group, value, ...previous, values } }
        })
      },
    }
  }
}
