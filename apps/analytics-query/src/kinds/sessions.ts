import { QUERY_LIMITS, type SummaryOf } from '@millrace/contracts'
import { decodePageCursor } from '@millrace/pagination'
import { type MarksQuery, VISIT_GAP_MS } from '../journeys/marks.js'
import { toUserLists } from '../journeys/user-lists.js'
import { SessionTotals, walkSessions } from '../journeys/walk-sessions.js'
import type { CellQuery } from '../query/cell-query.js'
import { parseCellQuery, parseLimit } from '../query/parse-cell-query.js'
import type { ReadScope } from '../reads/read-scope.js'
import { type JourneyDeps, rateOf } from './journey.js'
import { type CellSource, parseCells } from './parse-cells.js'
import { parseCompare, parseFill } from './parse-compare.js'
import { parseWindow } from './parse-window.js'
import type { QueryKind } from './query-kind.js'

/**
 * Sessions: runs of events of one user in which no pause reaches the gap. A session counts in the bucket and group of its first event. A session that
 * began before the range does not count; one that continues after it counts with its events in the range.
 */
export const sessions = (deps: JourneyDeps): QueryKind => ({
  parse(request, context) {
    const cursor = decodePageCursor(request.cursor)
    const limit = parseLimit(request.limit, QUERY_LIMITS.seriesPage)
    const metric = { agg: 'count', property: null } as const
    const query = parseCellQuery(
      request,
      { interval: 'optional', metric, cursor },
      { nowMs: context.nowMs, bucketsMax: deps.limits.bucketsMax },
    )
    const gapMs = parseWindow(request.windowMs, QUERY_LIMITS.sessionGapMs)
    return parseCells(
      {
        kind: 'sessions',
        query,
        source: createSource(gapMs, deps),
        limits: deps.limits,
        cursor,
        limit,
        isCompared: parseCompare(request.compare),
        filling: { fill: parseFill(request.fill), empty: { value: 0, values: valuesOf(new SessionTotals()) } },
        keyOf: ({ bucket, group }) => [query.bucketStarts[bucket] ?? 0, ...group],
      },
      context,
    )
  },
})

function createSource(gapMs: number, deps: JourneyDeps): CellSource {
  return {
    settings: gapMs,
    rangeOf: (query) => toMarksQuery(query, gapMs),
    read: (scope, query) => readSessions(scope, query, { gapMs, ...deps }),
  }
}

/** Also reads one gap before the range, to know which of its first events continue an earlier session. */
function toMarksQuery({ event, filters, groupBy, fromMs, toMs, bucketStarts }: CellQuery, gapMs: number): MarksQuery {
  const hasVisits = gapMs >= VISIT_GAP_MS && filters.length === 0 && groupBy.length === 0
  const grain = hasVisits ? 'visit' : 'event'
  const conditions = [{ event, filters }]
  return { fromMs: fromMs - gapMs, toMs, conditions, groupBy, grain, cellsPerGroup: bucketStarts.length }
}

async function readSessions(
  scope: ReadScope,
  query: CellQuery,
  { gapMs, readMarks, limits }: JourneyDeps & { readonly gapMs: number },
) {
  const { marks, meta } = await readMarks(scope, toMarksQuery(query, gapMs))
  const { fromMs, bucketStarts } = query
  const lists = await toUserLists(marks.chunks, 1)
  const { cellsMax } = limits
  const { cells, all } = await walkSessions(lists, { fromMs, starts: bucketStarts, gapMs, cellsMax })
  const summary: SummaryOf<'sessions'> = { sessions: all.sessions, ...valuesOf(all) }
  return {
    cells: cells.map(({ bucket, group, totals }) => ({
      bucket,
      group: marks.groups[group] ?? [],
      value: totals.sessions,
      // Computed only for cells on the page, because it sorts their durations.
      get values() {
        return valuesOf(totals)
      },
    })),
    summary,
    meta,
  }
}

function valuesOf({ sessions: count, users, events, bounces, durations }: SessionTotals) {
  return { users, events, bounce_rate: rateOf(bounces, count), ...durations.summary() }
}
