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
const login = (userId: string, timestamp: string, success: boolean, more: Node): Node => ({
  type: 'track',
  event: '$login',
  userId,
  timestamp,
  properties: { success, ...more },
})

const email = { method: 'email', device: 'desktop', browser: 'Firefox', os: 'Linux' }
const google = { method: 'google', device: 'mobile', browser: 'Chrome', os: 'Android' }

/** What the examples of queries are asked of, from Monday to Wednesday. */
export const sampleEvents: readonly Node[] = [
  login('u1', '2026-11-16T08:58:00.000Z', true, email),
  view('u1', '2026-11-16T09:00:00.000Z', { category: 'books' }),
  view('u2', '2026-11-16T09:05:00.000Z', { category: 'books' }),
  order('u1', '2026-11-16T09:20:00.000Z', 40, 'DE'),
  view('u3', '2026-11-16T10:00:00.000Z', { category: 'toys' }),
  login('u2', '2026-11-16T11:00:00.000Z', false, { ...google, failure_reason: 'wrong password' }),
  login('u2', '2026-11-16T11:01:00.000Z', true, google),
  order('u2', '2026-11-16T11:05:00.000Z', 20, 'US'),
  view('u1', '2026-11-17T09:00:00.000Z', { category: 'toys' }),
  order('u1', '2026-11-17T09:30:00.000Z', 60, 'DE'),
  view('u2', '2026-11-18T14:00:00.000Z', { category: 'books' }),
]

const range = { from: '2026-11-16T00:00:00Z', to: '2026-11-19T00:00:00Z' }
const revenue = 'properties.revenue'

interface Example {
  readonly query: Node
  /** `data` and `summary` of the answer over the sample events. */
  readonly data: readonly Node[]
  readonly summary?: Node
}

/** A query of each kind and its answer over the sample events. */
export const queryExamples: Readonly<Record<QueryKindName, Example>> = {
  timeseries: {
    query: { event: 'Order Completed', metric: { agg: 'sum', property: revenue }, ...range, interval: '1d' },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 60 },
      { time: '2026-11-17T00:00:00.000Z', value: 60 },
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
      { group: { 'properties.country': 'DE' }, value: 50 },
      { group: { 'properties.country': 'US' }, value: 20 },
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
    query: { event: 'Order Completed', metric: { agg: 'p95', property: revenue }, ...range },
    data: [{ value: 60, values: { p50: 40, p95: 60, p99: 60, count: 3 } }],
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
          seconds_p50: 4200,
          seconds_p95: 6900,
        },
      },
    ],
    summary: { entered: 3, converted: 2, conversion_rate: 0.6667 },
  },
  retention: {
    query: { event: 'Product Viewed', ...range, interval: '1d', periods: 2 },
    data: [],
  },
  sessions: { query: { ...range, window: '30m', interval: '1d' }, data: [] },
  logins: { query: { ...range, group_by: ['method'] }, data: [] },
  daily: { query: { ...range }, data: [] },
}
