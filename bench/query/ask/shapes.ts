// The shapes of queries that are measured. Each draws queries of its form, and knows the SQL that somebody would write by hand for it.

import { DAY_MS, HOUR_MS } from '@millrace/contracts'
import type { Random } from '../../lib/random.js'
import { DAYS, userIdOf, usersOf } from '../data/generate.js'
import { FUNNEL } from '../data/model.js'
import type { Query } from './query.js'

/** Draws the variable parts of queries. */
export interface Draws {
  event(): string
  user(): string
  heavyUser(): string
  range(days: number, stepMs?: number): Range
  untilNow(days: number): Range
}

interface Range {
  from: string
  to: string
}

/** A query over a closed range: what the SQL of a shape is made from. */
type RangeQuery = Query & Range

type Sql<Q extends Query = RangeQuery> = (query: Q) => string

export interface Shape {
  name: string
  set: string
  kind: string
  draw(draws: Draws): Query
  /** The SQL for a query that `draw` returned. */
  sql: Sql<Query>
}

const NAMES = [
  'Page Viewed',
  'Product Viewed',
  'Search Performed',
  'Feature 01 Used',
  'Product Added',
  'Feature 02 Used',
  'Checkout Started',
  'Feature 07 Used',
  'Order Completed',
  'Feature 20 Used',
]

const ONE_PLAN = [{ property: 'properties.plan', op: 'eq', value: 'team' }]

/**
 * `set` says by which aim a shape is judged: `rollup` (uncached p95 below 10 ms), `user` (below 10 ms), `analysis` (below 300 ms), `raw` (none: rows
 * of the range are read). Each query that `draw` returns ends at another hour, so that no two are equal.
 */
export const SHAPES: readonly Shape[] = [
  shape(
    'timeseries 1d over 90 d',
    'rollup',
    'timeseries',
    ({ event, range }) => ({ event: event(), interval: '1d', ...range(90, DAY_MS) }),
    bucketSql('day'),
  ),
  shape(
    'timeseries 1h over 7 d',
    'rollup',
    'timeseries',
    ({ event, range }) => ({ event: event(), interval: '1h', ...range(7) }),
    bucketSql('hour'),
  ),
  shape(
    'timeseries 1m over 1 d',
    'rollup',
    'timeseries',
    ({ event, range }) => ({ event: event(), interval: '1m', ...range(1) }),
    bucketSql('minute'),
  ),
  shape(
    'sum of revenue 1d over 30 d',
    'rollup',
    'timeseries',
    ({ range }) => ({
      event: 'Order Completed',
      metric: { agg: 'sum', property: 'properties.revenue' },
      interval: '1d',
      ...range(30),
    }),
    bucketSql('day', `sum((properties->>'revenue')::float8)`),
  ),
  shape(
    'top events of 7 d',
    'rollup',
    'top',
    ({ range }) => ({ group_by: ['event'], limit: 10, ...range(7) }),
    groupSql('event'),
  ),
  shape(
    'top countries of 30 d',
    'rollup',
    'top',
    ({ range }) => ({ event: 'Page Viewed', group_by: ['properties.country'], limit: 10, ...range(30) }),
    groupSql(`properties->>'country'`),
  ),
  shape(
    'breakdown by category over 90 d',
    'rollup',
    'breakdown',
    ({ range }) => ({ event: 'Product Viewed', group_by: ['properties.category'], ...range(89) }),
    groupSql(`properties->>'category'`),
  ),
  shape(
    'revenue by country over 30 d',
    'rollup',
    'breakdown',
    ({ range }) => ({
      event: 'Order Completed',
      metric: { agg: 'sum', property: 'properties.revenue' },
      group_by: ['properties.country'],
      ...range(30),
    }),
    groupSql(`properties->>'country'`, `sum((properties->>'revenue')::float8)`),
  ),
  shape(
    'uniques of 30 d',
    'rollup',
    'uniques',
    ({ event, range }) => ({ event: event(), ...range(30) }),
    groupSql('1', 'count(distinct user_hash)'),
  ),
  shape(
    'uniques 1d over 30 d',
    'rollup',
    'uniques',
    ({ event, range }) => ({ event: event(), interval: '1d', ...range(30) }),
    bucketSql('day', 'count(distinct user_hash)'),
  ),
  shape(
    'percentiles of 30 d',
    'rollup',
    'percentiles',
    ({ range }) => ({ event: 'Page Viewed', metric: { agg: 'p95', property: 'properties.duration_ms' }, ...range(30) }),
    groupSql(
      '1',
      `percentile_cont(array[0.5, 0.95, 0.99]) within group (order by (properties->>'duration_ms')::float8)`,
    ),
  ),
  shape(
    'percentiles 1h over 7 d',
    'rollup',
    'percentiles',
    ({ range }) => ({
      event: 'Page Viewed',
      metric: { agg: 'p95', property: 'properties.duration_ms' },
      interval: '1h',
      ...range(7),
    }),
    bucketSql(
      'hour',
      `percentile_cont(array[0.5, 0.95, 0.99]) within group (order by (properties->>'duration_ms')::float8)`,
    ),
  ),
  {
    name: `one user's timeline, 50 events`,
    set: 'user',
    kind: 'timeline',
    draw: ({ user }) => ({ kind: 'timeline', user_id: user() }),
    sql: ({ user_id }: Query) => `select * from events where user_id = '${user_id}' order by "timestamp" desc limit 50`,
  },
  shape(
    `one user's events by name, 90 d`,
    'user',
    'top',
    ({ user, range }) => ({
      filters: [{ property: 'user_id', op: 'eq', value: user() }],
      group_by: ['event'],
      ...range(89),
    }),
    ({ filters, from, to }) =>
      `select event, count(*) from events where user_id = '${filters?.[0]?.value}' and ${within(from, to)} group by 1`,
  ),
  shape(
    `the heaviest users' events by name, 90 d`,
    'heavy user',
    'top',
    ({ heavyUser, range }) => ({
      filters: [{ property: 'user_id', op: 'eq', value: heavyUser() }],
      group_by: ['event'],
      ...range(89),
    }),
    ({ filters, from, to }) =>
      `select event, count(*) from events where user_id = '${filters?.[0]?.value}' and ${within(from, to)} group by 1`,
  ),
  shape(
    'a raw property, 1h over 1 d',
    'raw',
    'timeseries',
    ({ event, range }) => ({
      event: event(),
      interval: '1h',
      filters: [{ property: 'properties.plan', op: 'eq', value: 'team' }],
      ...range(1),
    }),
    ({ event, from, to }) =>
      `select date_trunc('hour', "timestamp"), count(*) from events where event = '${event}' and properties->>'plan' = 'team' and ${within(from, to)} group by 1`,
  ),
  shape(
    'funnel of 3 steps over 30 d',
    'analysis',
    'funnel',
    ({ range }) => ({ steps: FUNNEL, window: 7 * DAY_MS, ...range(30) }),
    (query) => funnelSql(query),
  ),
  shape(
    'funnel of one plan over 30 d',
    'analysis',
    'funnel',
    ({ range }) => ({ steps: FUNNEL, window: 7 * DAY_MS, filters: ONE_PLAN, ...range(30) }),
    (query) => funnelSql(query, `and properties->>'plan' = 'team'`),
  ),
  shape(
    'funnel by category over 30 d',
    'analysis',
    'funnel',
    ({ range }) => ({ steps: FUNNEL, window: 7 * DAY_MS, group_by: ['properties.category'], ...range(30) }),
    (query) => funnelSql(query),
  ),
  shape(
    'funnel of 30 d up to now',
    'analysis',
    'funnel',
    ({ untilNow }) => ({ steps: FUNNEL, window: 7 * DAY_MS, ...untilNow(30) }),
    (query) => funnelSql(query),
  ),
  shape(
    'funnel of one plan, 30 d up to now',
    'analysis',
    'funnel',
    ({ untilNow }) => ({ steps: FUNNEL, window: 7 * DAY_MS, filters: ONE_PLAN, ...untilNow(30) }),
    (query) => funnelSql(query, `and properties->>'plan' = 'team'`),
  ),
  shape(
    'retention 1d of one plan over 30 d',
    'analysis',
    'retention',
    ({ range }) => ({ interval: '1d', filters: ONE_PLAN, ...range(30, DAY_MS) }),
    retentionSql('day', `and properties->>'plan' = 'team'`),
  ),
  shape(
    'retention 1d, 30 d up to now',
    'analysis',
    'retention',
    ({ untilNow }) => ({ interval: '1d', ...untilNow(30) }),
    retentionSql('day'),
  ),
  shape(
    'retention 1d over 30 d',
    'analysis',
    'retention',
    ({ range }) => ({ interval: '1d', ...range(30, DAY_MS) }),
    retentionSql('day'),
  ),
  shape(
    'retention 1w over 30 d',
    'analysis',
    'retention',
    ({ range }) => ({ interval: '1w', ...range(30, DAY_MS) }),
    retentionSql('week'),
  ),
  shape('sessions of 7 d', 'analysis', 'sessions', ({ range }) => ({ ...range(7) }), sessionsSql),
  shape('sessions of 30 d', 'analysis', 'sessions', ({ range }) => ({ ...range(30) }), sessionsSql),
  shape(
    'logins of 30 d',
    'analysis',
    'logins',
    ({ range }) => ({ ...range(30) }),
    ({ from, to }) =>
      `select method, success, count(*), count(distinct user_id) from login_events where ${within(from, to)} group by 1, 2`,
  ),
  shape(
    'daily report of 30 d',
    'rollup',
    'daily',
    ({ range }) => ({ ...range(30, DAY_MS) }),
    ({ from, to }) =>
      `select date_trunc('day', "timestamp"), count(*), count(distinct user_hash), avg((properties->>'duration_ms')::float8) from events where ${within(from, to)} group by 1`,
  ),
]

function shape(
  name: string,
  set: string,
  kind: string,
  draw: (draws: Draws) => Omit<RangeQuery, 'kind'>,
  sql: Sql,
): Shape {
  return { name, set, kind, draw: (draws) => ({ kind, ...draw(draws) }), sql: (query) => sql(query as RangeQuery) }
}

/** Names and users are as skewed as the data; each range ends at another hour. */
export function createDraws({ random, rows, endMs }: { random: Random; rows: number; endMs: number }): Draws {
  const users = usersOf(rows)
  let drawn = 0
  return {
    event: () => NAMES[Math.floor(NAMES.length * random.next() ** 2)] ?? '',
    user: () => userIdOf(Math.floor(random.next() * users)),
    heavyUser: () => userIdOf(Math.floor(random.next() * 8) + 1),
    range: (days, stepMs = HOUR_MS) => {
      const places = Math.max(2, Math.min(480, Math.floor(((DAYS - days) * DAY_MS) / stepMs)))
      const to = Math.floor(endMs / stepMs) * stepMs - (drawn++ % places) * stepMs
      return { from: new Date(to - days * DAY_MS).toISOString(), to: new Date(to).toISOString() }
    },
    /** Up to a moment ago, another one at each draw: today is part of it, and no end lies on a quarter of an hour. */
    untilNow: (days) => {
      const to = Date.now() - drawn++
      return { from: new Date(to - days * DAY_MS).toISOString(), to: new Date(to).toISOString() }
    },
  }
}

function within(from: string, to: string): string {
  return `"timestamp" >= '${from}' and "timestamp" < '${to}'`
}

function bucketSql(unit: string, value = 'count(*)'): Sql {
  return ({ event, from, to }) =>
    `select date_trunc('${unit}', "timestamp"), ${value} from events where event = '${event}' and ${within(from, to)} group by 1 order by 1`
}

function groupSql(group: string, value = 'count(*)'): Sql {
  return ({ event, from, to }) =>
    `select ${group}, ${value} from events where ${event === undefined ? 'true' : `event = '${event}'`} and ${within(from, to)} ${group === '1' ? '' : 'group by 1 order by 2 desc'}`
}

function funnelSql({ steps = [], from, to }: RangeQuery, filter = ''): string {
  const [first, second, third] = steps
  const of = (event: string | undefined) =>
    `select user_hash, "timestamp" as at from events where event = '${event}' and ${within(from, to)} ${filter}`
  return `with a as (select user_hash, min(at) as at from (${of(first)}) e group by 1),
    b as (select a.user_hash, min(e.at) as at, min(a.at) as began from a join (${of(second)}) e on e.user_hash = a.user_hash and e.at > a.at and e.at <= a.at + interval '7 days' group by 1),
    c as (select b.user_hash from b join (${of(third)}) e on e.user_hash = b.user_hash and e.at > b.at and e.at <= b.began + interval '7 days' group by 1)
    select (select count(*) from a), (select count(*) from b), (select count(*) from c)`
}

function retentionSql(unit: string, filter = ''): Sql {
  return ({
    from,
    to,
  }) => `with active as (select distinct user_hash, date_trunc('${unit}', "timestamp") as at from events where ${within(from, to)} ${filter}),
    first as (select user_hash, min(at) as at from active group by 1)
    select first.at, active.at, count(*) from first join active using (user_hash) group by 1, 2`
}

function sessionsSql({ from, to }: RangeQuery): string {
  return `with gaps as (select user_hash, "timestamp" as at, "timestamp" - lag("timestamp") over (partition by user_hash order by "timestamp") as gap from events where ${within(from, to)}),
    numbered as (select user_hash, at, count(*) filter (where gap is null or gap > interval '30 minutes') over (partition by user_hash order by at) as session from gaps),
    sessions as (select user_hash, session, count(*) as events, max(at) - min(at) as lasted from numbered group by 1, 2)
    select count(*), count(distinct user_hash), avg(lasted), count(*) filter (where events = 1) from sessions`
}
