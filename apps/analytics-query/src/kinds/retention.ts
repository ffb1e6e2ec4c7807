import { type PointOf, QUERY_LIMITS, type RunQueryRequest } from '@millrace/contracts'
import {
  type Block,
  canonicalPosition,
  decodePageCursor,
  type PageCursor,
  type SortKey,
  takeBlockPage,
} from '@millrace/pagination'
import { errors } from '../errors.js'
import type { Marks, MarksQuery } from '../journeys/marks.js'
import { createBlockTurns } from '../journeys/turns.js'
import { toUserLists } from '../journeys/user-lists.js'
import { type Cohorts, walkRetention } from '../journeys/walk-retention.js'
import { canonicalKey } from '../query/canonical-key.js'
import { parseFilters } from '../query/filter.js'
import {
  type ParseContext,
  parseEventName,
  parseGroupBy,
  parseLimit,
  parseRange,
  parseZone,
} from '../query/parse-cell-query.js'
import { canonicalMarks, eventsOf, type JourneyDeps, parsePeriods, periodGrain, rateOf } from './journey.js'
import type { KindContext, QueryKind } from './query-kind.js'
import { toGroup } from './query-point.js'

const PERIODS_MAX = QUERY_LIMITS.retentionPeriodsMax

/**
 * Which share of the users with an event in one period came back in that and in later periods. A user belongs to the cohort of the period of its first
 * such event in the range. Periods that begin after the range are left out.
 */
export const retention = (deps: JourneyDeps): QueryKind => ({
  parse(request, context) {
    const question = parseRetention(request, { nowMs: context.nowMs, bucketsMax: deps.limits.bucketsMax })
    const { query, starts, periods, limit, cursor } = question
    return {
      kind: 'retention',
      canonicalKey: canonicalKey(context.tenantId, 'retention', [
        canonicalMarks(query),
        starts,
        periods,
        limit,
        canonicalPosition(cursor),
      ]),
      fromMs: query.fromMs,
      toMs: query.toMs,
      events: eventsOf(query),
      run: () => runRetention(question, { ...deps, context }),
    }
  },
})

interface RetentionQuestion {
  readonly query: MarksQuery
  readonly starts: readonly number[]
  readonly periods: number
  readonly limit: number
  readonly cursor: PageCursor | null
}

function parseRetention(request: RunQueryRequest, { nowMs, bucketsMax }: ParseContext): RetentionQuestion {
  const cursor = decodePageCursor(request.cursor)
  const { fromMs, toMs } = parseRange(request, { nowMs, cursor })
  if (request.periods > PERIODS_MAX)
    throw errors.INVALID_PERIODS({
      message: `the query asks for ${request.periods} periods, at most ${PERIODS_MAX} are allowed`,
    })
  const { starts } = parsePeriods(request, { fromMs, toMs, zone: parseZone(request), bucketsMax })
  const periods = request.periods === 0 ? PERIODS_MAX : request.periods
  const filters = parseFilters(request.filters)
  const events = [parseEventName(request.event), parseEventName(request.returnEvent, 'return_event')]
  const conditions = events.map((event) => ({ event, filters }))
  return {
    query: {
      fromMs,
      toMs,
      conditions,
      groupBy: parseGroupBy(request.groupBy, false),
      grain: periodGrain(starts),
      cellsPerGroup: (starts.length * (Math.min(periods, starts.length) + 2)) / 2 + starts.length,
    },
    starts,
    periods,
    limit: parseLimit(request.limit, QUERY_LIMITS.seriesPage),
    cursor,
  }
}

async function runRetention(
  question: RetentionQuestion,
  { readMarks, limits, context }: JourneyDeps & { readonly context: KindContext },
) {
  const { query, starts, periods, limit, cursor } = question
  const { marks, meta } = await readMarks(context, query)
  const lists = await toUserLists(marks.chunks, query.conditions.length)
  const cohorts = await walkRetention(lists, { starts, periods, cellsMax: limits.cellsMax })
  const { page, nextCursor } = await takeBlockPage(toBlocks(question, marks, cohorts), {
    cursor,
    limit,
    toMs: query.toMs,
    pause: createBlockTurns(),
    keyOf: ({ key, point: { period } }) => [...key, period],
  })
  return { data: page.map(({ point }) => point), nextCursor, meta }
}

interface CohortPoint {
  readonly key: SortKey
  readonly point: PointOf<'retention'>
}

/** One block per cohort with users; without groups, one per cohort. */
function* toBlocks(
  { query, starts }: RetentionQuestion,
  { groups }: Marks,
  cohorts: Cohorts,
): Generator<Block<CohortPoint>> {
  const isGrouped = query.groupBy.length > 0
  for (const { group: index, own } of isGrouped ? cohorts.list() : starts.map((_, own) => ({ group: 0, own }))) {
    const texts = groups[index] ?? []
    const key = [starts[own] ?? 0, ...texts]
    const size = cohorts.sizeOf(index, own)
    const values = (value: number) => ({ rate: rateOf(value, size), cohort_size: size })
    yield {
      key,
      items: () => {
        const time = new Date(starts[own] ?? 0).toISOString()
        const group = toGroup(query.groupBy, texts)
        return cohorts
          .returnedOf(index, own)
          .map((value, period) => ({ key, point: { time, ...group, period, value, values: values(value) } }))
      },
    }
  }
}
