import { DAY_MS, LATE_NOTICES_KEPT_MS } from '@millrace/contracts'
import type { Transaction } from '@millrace/database'
import type { RunCells } from '../cells/run-cells.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { CellQuery } from '../query/cell-query.js'
import { parseFieldPath } from '../query/field-path.js'
import { findTimeZone } from '../query/time-zone.js'
import { readAllOrNone } from '../reads/read-all-or-none.js'
import { type ReadScope, readTogether } from '../reads/read-scope.js'
import { type WatermarkConfig, type WatermarkRow, watermarkStatement } from '../reads/watermark-statement.js'
import { rowsOf } from '../sql/rows-of.js'

/** The figures of one UTC day of a tenant. */
export interface DailyFigures {
  readonly events: number
  readonly users: number
  /** Null when no event has a number in the response property, or no rollup definition contains it. */
  readonly avgResponseMs: number | null
}

/** Returns the figures by the start of the day in ms. Days without events may be missing. */
export type ReadDaily = (
  scope: ReadScope,
  /** Whole UTC days. */
  range: { readonly fromMs: number; readonly toMs: number },
) => Promise<{ days: ReadonlyMap<number, DailyFigures>; meta: AnswerMeta }>

export interface ReadDailyConfig extends WatermarkConfig {
  /** Path of the numeric property that is averaged. */
  readonly responseProperty: string
}

export interface ReadDailyDeps {
  readonly runCells: RunCells
  readonly now: () => number
}

interface RefreshRow {
  readonly refreshed_at: Date
  readonly covers_from: Date
  readonly complete_until: Date | null
}

interface DayRow {
  /** YYYY-MM-DD */
  readonly day: string
  readonly events: bigint
  readonly users: bigint
  readonly average: number | null
  readonly is_dirty: boolean
}

/** Late events are recorded for a limited time. A view that was last refreshed longer ago than this is not used. */
const USABLE_MS = LATE_NOTICES_KEPT_MS - DAY_MS

/**
 * Reads the daily report in one snapshot: days from the materialized view, and days that have changed since its refresh
 * (usually only today) from rollups and raw rows. So the figures equal those of the corresponding queries.
 */
export function createReadDaily(config: ReadDailyConfig, { runCells, now }: ReadDailyDeps): ReadDaily {
  return (scope, range) =>
    readTogether(scope, async (inner) => {
      const view = await inner.read((tx) => readView(tx, range, { config, nowMs: now() }))
      const liveRange = span(view.openDays)
      if (liveRange === undefined) return { days: view.days, meta: describe(view, undefined, now()) }
      const live = await readLive(inner, liveRange, { runCells, config, hasAverage: view.hasAverage })
      return {
        days: new Map([...view.days, ...live.days]),
        meta: describe(view, { liveRange, meta: live.meta }, now()),
      }
    })
}

interface View {
  readonly days: ReadonlyMap<number, DailyFigures>
  /** Starts of the days that must not be answered from the view, ascending. */
  readonly openDays: readonly number[]
  readonly refreshedAtMs: number | null
  readonly watermarkMs: number | null
  readonly hasAverage: boolean
}

async function readView(
  tx: Transaction,
  { fromMs, toMs }: { fromMs: number; toMs: number },
  { config, nowMs }: { config: ReadDailyConfig; nowMs: number },
): Promise<View> {
  const [refreshes, days, changed, definitions, watermarks] = await tx.pipeline([
    SELECT_REFRESH,
    { ...SELECT_DAYS, values: [toDay(fromMs), toDay(toMs), config.responseProperty] },
    SELECT_CHANGED,
    { ...SELECT_AVERAGED, values: [config.responseProperty] },
    watermarkStatement(config),
  ])
  const refresh = rowsOf<RefreshRow>(refreshes)[0]
  const answered = new Map<number, DailyFigures>()
  const wrong = new Set(rowsOf<{ day: string }>(changed).map(({ day }) => Date.parse(day)))
  for (const { day, events, users, average, is_dirty } of rowsOf<DayRow>(days)) {
    if (is_dirty) wrong.add(Date.parse(day))
    else answered.set(Date.parse(day), { events: Number(events), users: Number(users), avgResponseMs: average })
  }
  const coversFromMs = refresh?.covers_from.getTime() ?? Number.POSITIVE_INFINITY
  const isRemembered = refresh !== undefined && nowMs - refresh.refreshed_at.getTime() < USABLE_MS
  const completeUntilMs = (isRemembered ? refresh.complete_until?.getTime() : undefined) ?? Number.NEGATIVE_INFINITY
  const openDays: number[] = []
  for (let day = fromMs; day < toMs; day += DAY_MS) {
    const isAnswered = day >= coversFromMs && day + DAY_MS <= completeUntilMs && !wrong.has(day)
    if (isAnswered) continue
    openDays.push(day)
    answered.delete(day)
  }
  return {
    days: answered,
    openDays,
    refreshedAtMs: refresh?.refreshed_at.getTime() ?? null,
    watermarkMs: rowsOf<WatermarkRow>(watermarks)[0]?.watermark?.getTime() ?? null,
    hasAverage: rowsOf(definitions).length > 0,
  }
}

const SELECT_REFRESH = {
  name: 'daily_refresh',
  text: `select refreshed_at, covers_from, complete_until from report_refreshes where name = 'daily'`,
}

/** By the view's unique index on (tenant, day). */
const SELECT_DAYS = {
  name: 'daily_days',
  text: `select day, events, users, (averages ->> $3)::double precision as average, is_dirty from daily_report where day >= $1::date and day < $2::date`,
}

/** Days that late events have changed since the refresh; few, by the index on changed_xid. */
const SELECT_CHANGED = {
  name: 'daily_changed',
  text: `select distinct v.day from report_refreshes r join window_versions v on v.changed_xid >= r.snapshot_xmin
    where r.name = 'daily' and v.tenant_id = millrace_tenant()`,
}

const SELECT_AVERAGED = {
  name: 'daily_averaged',
  text: `select from rollup_definitions where event = '*' and dimensions = '{}' and property = $1 and active_until is null`,
}

function toDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

interface DayRange {
  readonly fromMs: number
  readonly toMs: number
}

/** The range from the first to the last day: one reading of more days is faster than two of fewer days. */
function span(days: readonly number[]): DayRange | undefined {
  const [first, last] = [days[0], days.at(-1)]
  return first === undefined || last === undefined ? undefined : { fromMs: first, toMs: last + DAY_MS }
}

interface LiveReading {
  readonly runCells: RunCells
  readonly config: ReadDailyConfig
  readonly hasAverage: boolean
}

/**
 * Reads the three figures, admitted together. Averages only if a rollup contains them, else each answer would read a
 * day of raw rows.
 */
async function readLive(scope: ReadScope, liveRange: DayRange, { runCells, config, hasAverage }: LiveReading) {
  const read = (metric: CellQuery['metric']) => async (part: ReadScope) => {
    const { cells, meta } = await runCells(part, toQuery(liveRange, metric))
    return { meta, byDay: new Map(cells.map(({ bucket, value }) => [liveRange.fromMs + bucket * DAY_MS, value])) }
  }
  const average = { agg: 'avg', property: parseFieldPath(config.responseProperty) } as const
  const [events, users, averages] = await readAllOrNone(scope, [
    read({ agg: 'count', property: null }),
    read({ agg: 'uniques', property: null }),
    hasAverage ? read(average) : () => Promise.resolve(null),
  ])
  const days = new Map<number, DailyFigures>()
  for (const [day, count] of events.byDay) {
    const avgResponseMs = averages?.byDay.get(day) ?? null
    days.set(day, { events: count ?? 0, users: users.byDay.get(day) ?? 0, avgResponseMs })
  }
  return { days, meta: events.meta }
}

function toQuery({ fromMs, toMs }: DayRange, metric: CellQuery['metric']): CellQuery {
  const bucketStarts = Array.from({ length: (toMs - fromMs) / DAY_MS }, (_, index) => fromMs + index * DAY_MS)
  const zone = findTimeZone('UTC')
  return { event: null, metric, filters: [], groupBy: [], fromMs, toMs, zone, interval: '1d', bucketStarts }
}

/** An answer that uses the view is at least as old as the view. */
function describe(
  view: View,
  live: { readonly liveRange: DayRange; readonly meta: AnswerMeta } | undefined,
  nowMs: number,
): AnswerMeta {
  const hasPart = view.days.size > 0 && view.refreshedAtMs !== null
  const viewAgeMs = hasPart ? Math.max(0, nowMs - (view.refreshedAtMs ?? nowMs)) : 0
  const refreshedAt = view.refreshedAtMs === null ? null : new Date(view.refreshedAtMs).toISOString()
  const plan = { view: 'daily_report', refreshed_at: refreshedAt, days_from_view: view.days.size }
  if (live === undefined) return { source: 'rollup', ageMs: viewAgeMs, watermarkMs: view.watermarkMs, plan }
  const { fromMs, toMs } = live.liveRange
  const range = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
  return {
    source: live.meta.source,
    ageMs: Math.max(viewAgeMs, live.meta.ageMs),
    watermarkMs: live.meta.watermarkMs,
    plan: { ...plan, live: { ...range, plan: live.meta.plan } },
  }
}
