import type { QueryKindName } from '../queries/query-kinds.js'
import type { Node } from './openapi-schemas.js'

const view = (userId: string, timestamp: string, properties: Node): Node => ({
  type: 'track',
  event: 'Product Viewed',
  userId,
  timestamp,
  properties,
})
const order = (userId: string, timestamp: string, revenue: number, country: string): Node => ({
  type: 'track',
  event: 'Order Completed',
  userId,
  timestamp,
  properties: { revenue, country },
})
const login = (userId: string, timestamp: string, userAgent: string, properties: Node): Node => ({
  type: 'track',
  event: '$login',
  userId,
  timestamp,
  properties,
  context: { userAgent },
})

const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const CHROME =
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36'

const onVisit = (event: string, timestamp: string, properties: Node): Node => ({
  type: 'track',
  event,
  userId: 'u1',
  timestamp,
  properties: { session_id: 'visit-7', ...properties },
  context: { userAgent: FIREFOX, ip: '192.0.2.7' },
})

/** What the examples of queries are asked of, from Monday to Wednesday, and on Thursday what those of lists are. */
export const sampleEvents: readonly Node[] = [
  login('u1', '2026-11-16T08:58:00.000Z', FIREFOX, { method: 'email', success: true }),
  view('u1', '2026-11-16T09:00:00.000Z', { category: 'books', load_ms: 120 }),
  view('u2', '2026-11-16T09:05:00.000Z', { category: 'books', load_ms: 90 }),
  order('u1', '2026-11-16T09:20:00.000Z', 40, 'DE'),
  view('u3', '2026-11-16T10:00:00.000Z', { category: 'toys', load_ms: 300 }),
  login('u2', '2026-11-16T11:00:00.000Z', CHROME, {
    method: 'google',
    success: false,
    failure_reason: 'wrong password',
  }),
  login('u2', '2026-11-16T11:01:00.000Z', CHROME, { method: 'google', success: true }),
  order('u2', '2026-11-16T11:05:00.000Z', 20, 'US'),
  view('u1', '2026-11-17T09:00:00.000Z', { category: 'toys', load_ms: 150 }),
  order('u1', '2026-11-17T09:30:00.000Z', 60, 'DE'),
  view('u2', '2026-11-18T14:00:00.000Z', { category: 'books', load_ms: 200 }),
  onVisit('$session_start', '2026-11-19T08:00:00.000Z', {}),
  {
    ...onVisit('$activity', '2026-11-19T08:05:00.000Z', {
      action: 'refunded',
      entity_type: 'order',
      entity_id: 'order-41',
      metadata: { amount: 20 },
    }),
    messageId: 'refund-41',
  },
  onVisit('$session_end', '2026-11-19T08:30:00.000Z', { reason: 'logout' }),
]

const range = { from: '2026-11-16T00:00:00Z', to: '2026-11-19T00:00:00Z' }
const revenue = 'properties.revenue'

interface Example {
  readonly query: Node
  /** `data` and `summary` of the answer over the sample events. */
  readonly data: readonly Node[]
  readonly summary?: Node
}

const share = (name: string, attempts: number, succeeded: number): Node => ({
  name,
  attempts,
  succeeded,
  failed: attempts - succeeded,
  success_rate: succeeded / attempts,
})
const onPhone = { method: 'google', device: 'mobile', browser: 'Chrome', os: 'Android' }
const onDesktop = { method: 'email', device: 'desktop', browser: 'Firefox', os: 'Linux' }

/** A query of each kind and its answer over the sample events. */
export const queryExamples: Readonly<Record<QueryKindName, Example>> = {
  timeseries: {
    query: { event: 'Order Completed', metric: { agg: 'sum', property: revenue }, ...range, interval: '1d' },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 60, values: { count: 2 } },
      { time: '2026-11-17T00:00:00.000Z', value: 60, values: { count: 1 } },
      { time: '2026-11-18T00:00:00.000Z', value: 0 },
    ],
  },
  top: {
    query: { event: 'Product Viewed', ...range, group_by: ['properties.category'], limit: 3 },
    data: [
      { group: { 'properties.category': 'books' }, value: 3 },
      { group: { 'properties.category': 'toys' }, value: 2 },
    ],
  },
  breakdown: {
    query: {
      event: 'Order Completed',
      metric: { agg: 'avg', property: revenue },
      ...range,
      filters: [{ property: revenue, op: 'gte', value: 20 }],
      group_by: ['properties.country'],
    },
    data: [
      { group: { 'properties.country': 'DE' }, value: 50, values: { count: 2 } },
      { group: { 'properties.country': 'US' }, value: 20, values: { count: 1 } },
    ],
  },
  uniques: {
    query: { event: 'Product Viewed', ...range, interval: '1d' },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 3 },
      { time: '2026-11-17T00:00:00.000Z', value: 1 },
      { time: '2026-11-18T00:00:00.000Z', value: 1 },
    ],
  },
  percentiles: {
    query: { event: 'Product Viewed', metric: { agg: 'p95', property: 'properties.load_ms' }, ...range },
    data: [{ value: 200, values: { p50: 150, p95: 200, p99: 200, count: 5 } }],
  },
  funnel: {
    query: { steps: ['Product Viewed', 'Order Completed'], window: '14d', ...range },
    data: [
      {
        step: 0,
        value: 3,
        values: {
          conversion_rate: 1,
          step_conversion_rate: 1,
          seconds_avg: null,
          seconds_p50: null,
          seconds_p95: null,
        },
      },
      {
        step: 1,
        value: 2,
        values: {
          conversion_rate: 0.6667,
          step_conversion_rate: 0.6667,
          seconds_avg: 4200,
          seconds_p50: 1200,
          seconds_p95: 1200,
        },
      },
    ],
    summary: { entered: 3, converted: 2, conversion_rate: 0.6667 },
  },
  retention: {
    query: { event: 'Product Viewed', ...range, interval: '1d', periods: 2 },
    data: [
      { time: '2026-11-16T00:00:00.000Z', period: 0, value: 3, values: { rate: 1, cohort_size: 3 } },
      { time: '2026-11-16T00:00:00.000Z', period: 1, value: 1, values: { rate: 0.3333, cohort_size: 3 } },
      { time: '2026-11-16T00:00:00.000Z', period: 2, value: 1, values: { rate: 0.3333, cohort_size: 3 } },
      { time: '2026-11-17T00:00:00.000Z', period: 0, value: 0, values: { rate: null, cohort_size: 0 } },
      { time: '2026-11-17T00:00:00.000Z', period: 1, value: 0, values: { rate: null, cohort_size: 0 } },
      { time: '2026-11-18T00:00:00.000Z', period: 0, value: 0, values: { rate: null, cohort_size: 0 } },
    ],
  },
  sessions: {
    query: { ...range, window: '30m', interval: '1d' },
    data: [
      {
        time: '2026-11-16T00:00:00.000Z',
        value: 4,
        values: { users: 3, events: 8, bounce_rate: 0.5, seconds_avg: 405, seconds_p50: 0, seconds_p95: 300 },
      },
      {
        time: '2026-11-17T00:00:00.000Z',
        value: 2,
        values: { users: 1, events: 2, bounce_rate: 1, seconds_avg: 0, seconds_p50: 0, seconds_p95: 0 },
      },
      {
        time: '2026-11-18T00:00:00.000Z',
        value: 1,
        values: { users: 1, events: 1, bounce_rate: 1, seconds_avg: 0, seconds_p50: 0, seconds_p95: 0 },
      },
    ],
    summary: {
      sessions: 7,
      users: 3,
      events: 11,
      bounce_rate: 0.7143,
      seconds_avg: 231.4,
      seconds_p50: 0,
      seconds_p95: 300,
    },
  },
  logins: {
    query: { ...range, group_by: ['method'] },
    data: [
      { group: { method: 'email' }, value: 1, values: { succeeded: 1, failed: 0, success_rate: 1, users: 1 } },
      { group: { method: 'google' }, value: 2, values: { succeeded: 1, failed: 1, success_rate: 0.5, users: 1 } },
    ],
    summary: {
      totals: { attempts: 3, succeeded: 2, failed: 1, success_rate: 0.6667, users: 2 },
      methods: [share('google', 2, 1), share('email', 1, 1)],
      devices: [share('mobile', 2, 1), share('desktop', 1, 1)],
      browsers: [share('Chrome', 2, 1), share('Firefox', 1, 1)],
      systems: [share('Android', 2, 1), share('Linux', 1, 1)],
      recent: [
        { time: '2026-11-16T11:01:00.000Z', user_id: 'u2', success: true, ...onPhone, failure_reason: null },
        {
          time: '2026-11-16T11:00:00.000Z',
          user_id: 'u2',
          success: false,
          ...onPhone,
          failure_reason: 'wrong password',
        },
        { time: '2026-11-16T08:58:00.000Z', user_id: 'u1', success: true, ...onDesktop, failure_reason: null },
      ],
    },
  },
  daily: {
    query: { ...range },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 8, values: { events: 8, users: 3, avg_response_ms: null } },
      { time: '2026-11-17T00:00:00.000Z', value: 2, values: { events: 2, users: 1, avg_response_ms: null } },
      { time: '2026-11-18T00:00:00.000Z', value: 1, values: { events: 1, users: 1, avg_response_ms: null } },
    ],
  },
}

interface ListExample {
  readonly data: readonly Node[]
  readonly summary?: Node
}

/** What the lists of sessions and activities give over the sample events; the parameters that they are asked with stand in openapi-lists.ts. */
export const listExamples: Readonly<Record<'sessions' | 'activities', ListExample>> = {
  sessions: {
    data: [
      {
        session_id: 'visit-7',
        user_id: 'u1',
        is_active: false,
        started_at: '2026-11-19T08:00:00.000Z',
        last_seen_at: '2026-11-19T08:30:00.000Z',
        ended_at: '2026-11-19T08:30:00.000Z',
        end_reason: 'logout',
        device: 'desktop',
        browser: 'Firefox',
        os: 'Linux',
        ip: '192.0.2.7',
      },
    ],
    summary: { active_sessions: 0 },
  },
  activities: {
    data: [
      {
        message_id: 'refund-41',
        user_id: 'u1',
        timestamp: '2026-11-19T08:05:00.000Z',
        action: 'refunded',
        entity_type: 'order',
        entity_id: 'order-41',
        metadata: { amount: 20 },
      },
    ],
  },
}
