// Queries whose every value follows from the events alone, as a sum over them.
import { DAY_MS, HOUR_MS } from '@millrace/contracts'
import type { Query } from '../ask/query.js'
import type { Point, StoredEvent } from './stored-event.js'

const WIDTH: Record<string, number> = { '1m': 60_000, '1h': HOUR_MS, '1d': DAY_MS }
const NAMES = ['Page Viewed', 'Product Viewed', 'Product Added', 'Feature 01 Used', '$login']

/** A query whose values are sums. */
export interface SumQuestion {
  readonly query: RangeQuery
  readonly isClosed: boolean
  /** False for a list that was cut at its limit, which says nothing about the groups that it leaves out. */
  readonly isWhole: boolean
  /** The key under which an event counts in the answer; undefined when it does not count. */
  keyOf(event: StoredEvent): string | undefined
  amountOf(event: StoredEvent): number
  /** The values of an answer by key. */
  valuesOf(points: readonly Point[]): ReadonlyMap<string, number>
  /** Reads the values of the events that are stored already. */
  readonly sql: string
}

type RangeQuery = Query & { from: string }

/** Closed ranges in the past, into which late events fall, and open ranges, which end at the time of the query. */
export function createQuestions({ endMs, nowMs }: { endMs: number; nowMs: number }): SumQuestion[] {
  const day = Math.floor(endMs / DAY_MS) * DAY_MS
  const closed = NAMES.flatMap((event) => [
    question({ kind: 'timeseries', event, interval: '1d', ...range(day - 14 * DAY_MS, day) }),
    question({ kind: 'timeseries', event, interval: '1h', ...range(endMs - 3 * DAY_MS, endMs) }),
    question({ kind: 'timeseries', event, interval: '1m', ...range(endMs - 12 * HOUR_MS, endMs) }),
  ])
  const open = NAMES.flatMap((event) => [
    question({ kind: 'timeseries', event, interval: '1h', ...range(day - DAY_MS) }),
    question({ kind: 'timeseries', event, interval: '1m', ...range(Math.floor(nowMs / HOUR_MS) * HOUR_MS - HOUR_MS) }),
  ])
  // Late events fall into the previous period as well as into the one of the query.
  const compared = NAMES.flatMap((event) => [
    question({ kind: 'timeseries', event, interval: '1d', compare: 'previous', ...range(day - 2 * DAY_MS, day) }),
    question({ kind: 'timeseries', event, interval: '1h', compare: 'previous', ...range(day - DAY_MS, day) }),
  ])
  return [
    ...closed,
    ...open,
    ...compared,
    question({ kind: 'top', group_by: ['event'], limit: 100, ...range(day - 7 * DAY_MS, day) }),
    question({ kind: 'top', group_by: ['event'], limit: 100, ...range(day) }),
    question({
      kind: 'top',
      event: 'Page Viewed',
      group_by: ['properties.country'],
      limit: 5,
      ...range(day - 7 * DAY_MS, endMs),
    }),
    question({
      kind: 'breakdown',
      event: 'Product Viewed',
      group_by: ['properties.category'],
      ...range(day - 14 * DAY_MS, day),
    }),
    question({ kind: 'breakdown', event: 'Product Viewed', group_by: ['properties.category'], ...range(day) }),
    question({
      kind: 'breakdown',
      event: 'Page Viewed',
      group_by: ['properties.country'],
      ...range(endMs - 2 * DAY_MS, endMs),
    }),
    question({
      kind: 'timeseries',
      event: 'Order Completed',
      metric: { agg: 'sum', property: 'properties.revenue' },
      interval: '1d',
      ...range(day - 14 * DAY_MS, day),
    }),
    question({
      kind: 'timeseries',
      event: 'Page Viewed',
      interval: '1h',
      filters: [{ property: 'properties.plan', op: 'eq', value: 'team' }],
      ...range(endMs - DAY_MS, endMs),
    }),
  ]
}

function question(query: RangeQuery): SumQuestion {
  const fromMs = Date.parse(query.from)
  const toMs = query.to === undefined ? Number.POSITIVE_INFINITY : Date.parse(query.to)
  const property = query.metric?.property.slice('properties.'.length)
  const group = query.group_by?.[0] ?? ''
  const width = query.interval === undefined ? undefined : WIDTH[query.interval]
  const backMs = query.compare === undefined ? 0 : toMs - fromMs
  const isIn = (event: StoredEvent) =>
    event.timeMs >= fromMs - backMs &&
    event.timeMs < toMs &&
    (query.event === undefined || query.event === event.event) &&
    (query.filters ?? []).every(
      (filter) => event.properties[filter.property.slice('properties.'.length)] === filter.value,
    )
  const keyOf = (event: StoredEvent) => {
    if (!isIn(event)) return undefined
    if (width !== undefined && event.timeMs < fromMs) return previous(bucketOf(event.timeMs + backMs, width))
    if (width !== undefined) return bucketOf(event.timeMs, width)
    return String(group === 'event' ? event.event : event.properties[group.slice('properties.'.length)])
  }
  return {
    query,
    isClosed: query.to !== undefined,
    isWhole: query.kind !== 'top' || (query.limit ?? 0) > 50,
    keyOf,
    amountOf: (event) => (property === undefined ? 1 : Number(event.properties[property])),
    valuesOf: (points) =>
      new Map(
        points.flatMap((point): [string, number][] => {
          const key = keyOfPoint(point, group)
          const now: [string, number] = [key, point.value ?? 0]
          return backMs === 0 ? [now] : [now, [previous(key), point.previous ?? 0]]
        }),
      ),
    sql: baseSql(query, { width, property, group, backMs }),
  }
}

function keyOfPoint({ time, group: groups }: Point, group: string): string {
  // A tampered answer may belong to another kind of question, whose points have neither.
  return time === undefined ? String(groups?.[group]) : String(Date.parse(time))
}

const bucketOf = (timeMs: number, width: number) => String(Math.floor(timeMs / width) * width)
/** The key of the value of the previous period. */
const previous = (key: string) => `previous ${key}`

interface Grouping {
  width: number | undefined
  property: string | undefined
  group: string
  backMs: number
}

function baseSql({ event, from, to, filters = [] }: RangeQuery, { width, property, group, backMs }: Grouping): string {
  const earlier = `case when "timestamp" < '${from}' then`
  const key =
    width !== undefined
      ? `${earlier} 'previous ' else '' end || (floor((extract(epoch from "timestamp") * 1000 + ${earlier} ${backMs} else 0 end) / ${width}) * ${width})::bigint::text`
      : group === 'event'
        ? 'event'
        : `properties->>'${group.slice('properties.'.length)}'`
  const value = property === undefined ? 'count(*)::float8' : `sum((properties->>'${property}')::float8)`
  const conditions = [
    `"timestamp" >= '${new Date(Date.parse(from) - backMs).toISOString()}'`,
    ...(to === undefined ? [] : [`"timestamp" < '${to}'`]),
    ...(event === undefined ? [] : [`event = '${event}'`]),
    ...filters.map((filter) => `properties->>'${filter.property.slice('properties.'.length)}' = '${filter.value}'`),
  ]
  return `select ${key} as key, ${value} as value from events where tenant_id = 1 and ${conditions.join(' and ')} group by 1`
}

function range(fromMs: number, toMs?: number): { from: string; to?: string } {
  return { from: new Date(fromMs).toISOString(), ...(toMs !== undefined && { to: new Date(toMs).toISOString() }) }
}
