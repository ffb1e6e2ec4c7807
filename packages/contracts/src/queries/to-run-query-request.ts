import type { RunQueryRequest } from '../gen/millrace/v1/analytics.js'
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from '../time/durations.js'
import type { AnyQuery, QueryKindName } from './query-kinds.js'
import { DURATION_TEXT } from './request-fields.js'

/** The message for analytics-query. Every kind shares it: a kind with no field of its own needs nothing here. */
export function toRunQueryRequest(kind: QueryKindName, query: AnyQuery): RunQueryRequest {
  const { metric } = query
  return {
    kind,
    event: query.event ?? '',
    metric: metric && { agg: metric.agg, property: 'property' in metric ? (metric.property ?? '') : '' },
    from: toDate(query.from),
    to: toDate(query.to),
    interval: query.interval ?? '',
    timezone: query.timezone ?? '',
    filters: toFilterMessages(query.filters),
    groupBy: query.group_by ?? [],
    limit: query.limit ?? 0,
    cursor: query.cursor ?? '',
    explain: query.explain ?? false,
    steps: (query.steps ?? []).map((step) =>
      typeof step === 'string'
        ? { event: step, filters: [] }
        : { event: step.event, filters: toFilterMessages(step.filters) },
    ),
    windowMs: toMilliseconds(query.window),
    returnEvent: query.return_event ?? '',
    periods: query.periods ?? 0,
    compare: query.compare ?? '',
    fill: query.fill ?? '',
    minWatermark: toDate(query.min_watermark),
    fresh: query.fresh ?? false,
    fromIsLocal: isDay(query.from),
    toIsLocal: isDay(query.to),
    weekStart: query.week_start,
    afterRange: query.after_range,
    waitMs: query.wait === undefined ? undefined : Math.min(Number(toMilliseconds(query.wait)), WAIT_MS_MAX),
  }
}

/** The field of the message has 32 bits; analytics-query's own limit is much lower. */
const WAIT_MS_MAX = DAY_MS

/** Filters as protobuf messages; values travel as JSON text. */
export function toFilterMessages(filters: AnyQuery['filters']): RunQueryRequest['filters'] {
  return (filters ?? []).map(({ property, op, value }) => ({
    property,
    op,
    valueJson: value === undefined ? '' : JSON.stringify(value),
  }))
}

function toDate(text: string | undefined): Date | undefined {
  return text === undefined ? undefined : new Date(text)
}

/** Whether a valid time is a day without a time; undefined stands for no. */
function isDay(text: string | undefined): true | undefined {
  return text?.length === '2026-11-21'.length ? true : undefined
}

const unitMs: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
}

function toMilliseconds(duration: AnyQuery['window']): bigint {
  if (typeof duration !== 'string') return BigInt(duration ?? 0)
  const [, digits = '0', unit = ''] = DURATION_TEXT.exec(duration) ?? []
  return BigInt(Number(digits) * (unitMs[unit] ?? 1))
}
