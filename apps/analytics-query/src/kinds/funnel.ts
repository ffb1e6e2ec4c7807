import { type PointOf, QUERY_LIMITS, type RunQueryRequest, type SummaryOf } from '@millrace/contracts'
import {
  type Block,
  canonicalPosition,
  decodePageCursor,
  type PageCursor,
  type SortKey,
  takeBlockPage,
} from '@millrace/pagination'
import { errors } from '../errors.js'
import { Durations } from '../journeys/durations.js'
import type { MarkCondition, MarksQuery } from '../journeys/marks.js'
import { createBlockTurns } from '../journeys/turns.js'
import { toUserLists } from '../journeys/user-lists.js'
import { type FunnelStepResult, walkFunnel } from '../journeys/walk-funnel.js'
import { canonicalEarlier, canonicalKey } from '../query/canonical-key.js'
import { parseFilters } from '../query/filter.js'
import { parseEventName, parseGroupBy, parseLimit, parseRange, parseZone } from '../query/parse-cell-query.js'
import { previousRange } from '../query/previous-range.js'
import { readAllOrNone } from '../reads/read-all-or-none.js'
import { type ReadScope, readTogether } from '../reads/read-scope.js'
import { canonicalMarks, eventsOf, type JourneyDeps, rateOf } from './journey.js'
import { mergeMetas } from './merge-metas.js'
import { parseCompare, WITHOUT_COMPARE } from './parse-compare.js'
import { parseWindow } from './parse-window.js'
import type { KindContext, QueryKind } from './query-kind.js'
import { toGroup } from './query-point.js'

const { funnelStepsMin: STEPS_MIN, funnelStepsMax: STEPS_MAX } = QUERY_LIMITS

/**
 * How many users completed a sequence of steps within a time after the first step. Events outside the range do not count. A user counts once, with
 * the first of the attempts that got furthest, in the group of its first step.
 */
export const funnel = (deps: JourneyDeps): QueryKind => ({
  parse(request, context) {
    const question = parseFunnel(request, context.nowMs)
    const { query, earlier, windowMs, isAfterRange, limit, cursor } = question
    return {
      kind: 'funnel',
      canonicalKey: canonicalKey(context.tenantId, 'funnel', [
        canonicalMarks(query),
        windowMs,
        isAfterRange,
        limit,
        canonicalPosition(cursor),
        canonicalEarlier(earlier),
      ]),
      fromMs: earlier?.fromMs ?? query.fromMs,
      toMs: readRange(query, question).toMs,
      events: eventsOf(query),
      run: () => runFunnel(question, { ...deps, context }),
    }
  },
})

interface FunnelQuestion {
  readonly query: MarksQuery
  /** The previous period, with a comparison. */
  readonly earlier: MarksQuery | null
  readonly windowMs: number
  /** Whether later steps after the range count. */
  readonly isAfterRange: boolean
  readonly limit: number
  readonly cursor: PageCursor | null
}

function parseFunnel(request: RunQueryRequest, nowMs: number): FunnelQuestion {
  const cursor = decodePageCursor(request.cursor)
  const { fromMs, toMs } = parseRange(request, { nowMs, cursor })
  const zone = parseZone(request)
  const conditions = parseSteps(request)
  const groupBy = parseGroupBy(request.groupBy, false)
  const query = { fromMs, toMs, conditions, groupBy, grain: 'event', cellsPerGroup: conditions.length } as const
  const before = parseCompare(request.compare) ? previousRange({ fromMs, toMs, interval: null, zone }) : null
  return {
    query,
    earlier: before === null ? null : { ...query, fromMs: before.fromMs, toMs: before.toMs },
    windowMs: parseWindow(request.windowMs, QUERY_LIMITS.funnelWindowMs),
    isAfterRange: request.afterRange === true,
    limit: parseLimit(request.limit, QUERY_LIMITS.funnelPage),
    cursor,
  }
}

/** The range whose events are read: with the option, one window more, in which the last attempts of the range may go on. */
function readRange(query: MarksQuery, { windowMs, isAfterRange }: FunnelQuestion): MarksQuery {
  return isAfterRange ? { ...query, toMs: query.toMs + windowMs } : query
}

function parseSteps({ steps, filters }: RunQueryRequest): MarkCondition[] {
  if (steps.length < STEPS_MIN || steps.length > STEPS_MAX) {
    throw errors.INVALID_STEPS({
      message: `a funnel has ${STEPS_MIN} to ${STEPS_MAX} steps, not ${steps.length}`,
      details: { steps: steps.length },
    })
  }
  const common = parseFilters(filters)
  return steps.map((step, index) => {
    const event = parseEventName(step.event, `steps.${index}.event`)
    if (event === null) throw errors.INVALID_STEPS({ message: `step ${index} of the funnel has no event name` })
    return { event, filters: [...common, ...parseFilters(step.filters)] }
  })
}

async function runFunnel(
  question: FunnelQuestion,
  { context, ...deps }: JourneyDeps & { readonly context: KindContext },
) {
  const { query, earlier, limit, cursor } = question
  const [current, before] = await readTogether(context, (scope) => {
    const count = (one: MarksQuery) => (part: ReadScope) => countSteps(question, one, { scope: part, ...deps })
    const nothing = () => Promise.resolve(null)
    return readAllOrNone(scope, [count(query), earlier === null ? nothing : count(earlier)] as const, WITHOUT_COMPARE)
  })
  const { page, nextCursor } = await takeBlockPage(toBlocks(query, current.groups, before?.groups), {
    cursor,
    limit,
    toMs: query.toMs,
    pause: createBlockTurns(),
    keyOf: ({ key, point: { step } }) => [...key, step],
  })
  const meta = before === null ? current.meta : mergeMetas(current.meta, before.meta)
  const data = page.map(({ point }) => point)
  return { data, summary: summarise([...current.groups.values()], query.conditions.length), nextCursor, meta }
}

/** The steps that any user reached, by group as JSON text. */
type StepsByGroup = ReadonlyMap<string, readonly FunnelStepResult[]>

async function countSteps(
  question: FunnelQuestion,
  query: MarksQuery,
  { scope, readMarks, limits }: JourneyDeps & { readonly scope: ReadScope },
) {
  const { marks, meta } = await readMarks(scope, readRange(query, question))
  const lists = await toUserLists(marks.chunks, query.conditions.length)
  const counted = await walkFunnel(lists, {
    windowMs: question.windowMs,
    beginBeforeMs: query.toMs,
    cellsMax: limits.cellsMax,
  })
  const groups = new Map<string, readonly FunnelStepResult[]>(query.groupBy.length === 0 ? [['[]', []]] : [])
  for (const [group, steps] of counted) groups.set(JSON.stringify(marks.groups[group]), steps)
  return { groups, meta }
}

interface StepPoint {
  readonly key: SortKey
  readonly point: PointOf<'funnel'>
}

function* toBlocks(
  query: MarksQuery,
  groups: StepsByGroup,
  before: StepsByGroup | undefined,
): Generator<Block<StepPoint>> {
  for (const [text, steps] of groups) {
    const key = JSON.parse(text) as (string | null)[]
    yield {
      key,
      items: () => {
        const previous = before === undefined ? undefined : (before.get(text) ?? null)
        return query.conditions.map((_, step) => ({ key, point: toPoint(query, key, { steps, step, previous }) }))
      },
    }
  }
}

const NO_USERS: FunnelStepResult = { users: 0, durations: new Durations() }

interface StepOf {
  /** The steps that any user reached. */
  readonly steps: readonly FunnelStepResult[]
  readonly step: number
  /** The same group in the previous period: null when it had no users there, undefined without a comparison. */
  readonly previous: readonly FunnelStepResult[] | null | undefined
}

function toPoint(
  query: MarksQuery,
  group: readonly (string | null)[],
  { steps, step, previous }: StepOf,
): PointOf<'funnel'> {
  const { users, durations } = steps[step] ?? NO_USERS
  const before = step === 0 ? users : (steps[step - 1]?.users ?? 0)
  return {
    step,
    ...toGroup(query.groupBy, group),
    value: users,
    ...(previous !== undefined && { previous: previous === null ? null : (previous[step]?.users ?? 0) }),
    values: {
      conversion_rate: rateOf(users, steps[0]?.users ?? 0),
      step_conversion_rate: rateOf(users, before),
      ...durations.summary(),
    },
  }
}

function summarise(groups: readonly (readonly FunnelStepResult[])[], length: number): SummaryOf<'funnel'> {
  const usersAt = (step: number) => groups.reduce((sum, steps) => sum + (steps[step]?.users ?? 0), 0)
  const [entered, converted] = [usersAt(0), usersAt(length - 1)]
  return { entered, converted, conversion_rate: rateOf(converted, entered) }
}
