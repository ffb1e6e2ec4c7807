import { expect } from '@jest/globals'
import type { QueryPoint, RunQueryRequest } from '@millrace/contracts'
import { formatKeyPath } from '@millrace/rollups'
import { RELATIVE_ACCURACY } from '@millrace/sketches'
import fc from 'fast-check'
import type { TestDefinition, TestEvent } from './generated-data.js'
import { queryOf, type TestAnswer } from './service-under-test.js'

/** A Monday. The clocks of Berlin go back on the second Sunday after it, those of New York on the third. */
export const START = Date.UTC(2026, 9, 12)
export const DAYS = 24
export const DAY = 86_400_000
export const DEFINITIONS: TestDefinition[] = [
  { event: 'Flight', dimensions: ['properties.carrier'], property: null },
  { event: 'Flight', dimensions: ['properties.carrier', 'properties["stops.count"]'], property: 'properties.delay' },
  { event: '*', dimensions: ['properties.country'], property: null, activeFromMs: START + 2 * DAY + 34 * 60_000 + 1 },
  { event: '*', dimensions: ['properties.country', 'properties.carrier'], property: null },
  { event: '*', dimensions: [], property: 'properties.duration_ms' },
]
/** Of a delay and a duration. */
const NUMBER_MAX = 500

/** A small seeded generator, so that a failure can be seen again. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** Flights and other events of `DAYS` days, in four partitions, with fields of every type and some without. */
export function generate(tenantId: number, count: number, next: () => number): TestEvent[] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const positions = [0, 0, 0, 0]
  return Array.from({ length: count }, () => {
    const partition = Math.floor(next() * 4)
    const position = positions[partition] ?? 0
    positions[partition] = position + 1
    return {
      tenantId,
      event: pick(['Flight', 'Flight', 'Search', 'Login']),
      userId: next() < 0.8 ? `user-${Math.floor(next() * 300)}` : null,
      anonymousId: `anonymous-${Math.floor(next() * 50)}`,
      timestampMs: START + Math.floor(next() * DAYS * DAY),
      properties: {
        ...(next() < 0.9 && { carrier: pick(['UA', 'AA', 'DL', 12, true, null, '', { code: 'UA' }]) }),
        ...(next() < 0.9 && { 'stops.count': pick([0, 1, 2, '1']) }),
        ...(next() < 0.9 && { delay: pick([Math.floor(next() * 500) - 60, next() * 100, 'late', null]) }),
        ...(next() < 0.8 && { duration_ms: next() * 500 }),
        country: pick(['de', 'fr', 'us']),
      },
      partition,
      position,
    }
  })
}

const instant = fc.oneof(
  fc.integer({ min: 0, max: DAYS * 48 }).map((halfHours) => START + halfHours * 1_800_000),
  fc.integer({ min: -DAY, max: (DAYS + 1) * DAY }).map((ms) => START + ms),
)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: new Date(Math.min(a, b)), to: new Date(Math.max(a, b)) }))
/** Names with a dot are quoted. */
const pathOf = (name: string) => formatKeyPath({ root: 'properties', keys: [name === 'stops' ? 'stops.count' : name] })
const filter = (property: string, op: string, value?: unknown) => ({
  property: pathOf(property),
  op,
  valueJson: value === undefined ? '' : JSON.stringify(value),
})
const textFilters = {
  carrier: [
    filter('carrier', 'eq', 'UA'),
    filter('carrier', 'in', ['AA', 12]),
    filter('carrier', 'ne', '12'),
    filter('carrier', 'ne', 'nobody'),
    filter('carrier', 'not_in', ['UA', true]),
  ],
  stops: [filter('stops', 'ne', 1), filter('stops', 'in', [0, 2])],
  country: [filter('country', 'ne', 'de'), filter('country', 'eq', 'fr')],
}
/** No series keeps what they ask for. */
const otherFilters = [
  ...['exists', 'not_exists'].flatMap((op) => [filter('carrier', op), filter('stops', op)]),
  ...['prefix', 'not_prefix'].map((op) => filter('carrier', op, 'A')),
  filter('stops', 'gte', 1),
]
type Filters = RunQueryRequest['filters']
const upToTwo = (filters: Filters): fc.Arbitrary<Filters> =>
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Filters>([]) },
    { weight: 2, arbitrary: fc.constantFrom(...filters).map((one) => [one]) },
    { weight: 1, arbitrary: fc.tuple(fc.constantFrom(...filters), fc.constantFrom(...filters)) },
  )
const NUMBERS = ['sum', 'avg', 'min', 'max', 'p50', 'p95', 'p99']

const counts = ['count', 'uniques'].map((agg) => ({ agg, property: '' }))
const delays = NUMBERS.map((agg) => ({ agg, property: 'properties.delay' }))
const durations = ['sum', 'avg', 'p95'].map((agg) => ({ agg, property: 'properties.duration_ms' }))
const pathsOf = (names: readonly string[]) => names.map(pathOf)

interface Fields {
  readonly events: readonly string[]
  readonly metrics: readonly { readonly agg: string; readonly property: string }[]
  readonly groups: readonly (readonly string[])[]
  readonly filters: Filters
}
const aboutOf = ({ events, metrics, groups, filters }: Fields) =>
  fc.record({
    event: fc.constantFrom(...events),
    metric: fc.constantFrom(...metrics),
    groupBy: fc.constantFrom(...groups.map(pathsOf)),
    filters: upToTwo(filters),
  })
const { carrier, stops, country } = textFilters
/** What some definition keeps, and any of it together. */
const about = fc.oneof(
  {
    weight: 2,
    arbitrary: aboutOf({ events: ['Flight'], metrics: counts, groups: [[], ['carrier']], filters: carrier }),
  },
  {
    weight: 3,
    arbitrary: aboutOf({
      events: ['Flight'],
      metrics: delays,
      groups: [[], ['carrier'], ['stops'], ['carrier', 'stops']],
      filters: [...carrier, ...stops],
    }),
  },
  {
    weight: 2,
    arbitrary: aboutOf({
      events: [''],
      metrics: counts,
      groups: [[], ['country'], ['country', 'carrier']],
      filters: [...carrier, ...country],
    }),
  },
  { weight: 1, arbitrary: aboutOf({ events: [''], metrics: durations, groups: [[]], filters: country }) },
  {
    weight: 2,
    arbitrary: aboutOf({
      events: ['Flight', 'Search', ''],
      metrics: [...counts, ...delays, ...durations],
      groups: [[], ['carrier'], ['stops', 'country'], ['carrier', 'stops']],
      filters: [...carrier, ...stops, ...country, ...otherFilters],
    }),
  },
)

/** A question about flights, others or all; its range, kind, metric, filters, groups, comparison and filling vary. */
export const question = fc
  .record({
    kind: fc.constantFrom('timeseries', 'top', 'breakdown', 'uniques', 'percentiles'),
    about,
    range,
    interval: fc.constantFrom('1h', '1d', '1w', '1mo'),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York'),
    compare: fc.constantFrom('', 'previous'),
    fill: fc.constantFrom('', '', 'zero', 'null', 'none'),
  })
  .map(({ range: { from, to }, about: { groupBy, ...subject }, ...fields }) => {
    const isRanked = fields.kind === 'top' || fields.kind === 'breakdown'
    return queryOf({
      ...fields,
      ...subject,
      from,
      to,
      groupBy: isRanked && groupBy.length === 0 ? ['properties.carrier'] : groupBy,
      ...(fields.kind === 'percentiles' && { metric: { agg: 'p95', property: 'properties.delay' } }),
      ...(isRanked && { limit: 1000, fill: '' }),
      // All buckets of all groups would be more cells than an answer may have.
      ...(groupBy.length > 0 && fields.fill !== 'none' && { interval: '1d' }),
    })
  })

/** The daily report of a range. */
export const reportRange = range

/** One about at most some hours, by minutes. */
export const minuteQuestion = fc
  .tuple(question, fc.constantFrom('1m', '5m'), fc.integer({ min: 1, max: 600 }))
  .map(([request, interval, minutes]) => ({
    ...request,
    interval,
    to: new Date((request.from?.getTime() ?? START) + minutes * 60_000),
  }))

/** The same question in a way that no rollup answers. */
export function toRaw(request: RunQueryRequest): RunQueryRequest {
  return { ...request, filters: [...request.filters, { property: 'message_id', op: 'exists', valueJson: '' }] }
}

/** Both hold the same points; the order of equal ranks is open. */
export function expectSame({ kind, metric }: RunQueryRequest, a: TestAnswer, b: TestAnswer): void {
  const agg = kind === 'uniques' ? 'uniques' : (metric?.agg ?? 'count')
  const text = ({ time, group }: QueryPoint) => `${time ?? ''} ${JSON.stringify(group)}`
  const left = a.data.map((point) => [text(point), point] as const).sort(([x], [y]) => (x < y ? -1 : 1))
  const right = b.data.map((point) => [text(point), point] as const).sort(([x], [y]) => (x < y ? -1 : 1))
  expect(left.map(([key]) => key)).toEqual(right.map(([key]) => key))
  left.forEach(([, point], index) => {
    const other = right[index]?.[1] as QueryPoint
    expectClose(agg, point.value, other.value)
    expect(Object.keys(point.values ?? {})).toEqual(Object.keys(other.values ?? {}))
    for (const [name, value] of Object.entries(point.values ?? {})) expectClose(name, value, other.values?.[name])
    expect('previous' in point).toBe('previous' in other)
    expectClose(agg, point.previous, other.previous)
  })
}

/** More than any cell has. */
const COUNT_MAX = 10_000
/** Raw values reach the sketch as the least of a bin of 0.1 %; its own error is on both sides. */
const QUANTILE_OFF = (2 * RELATIVE_ACCURACY + 0.001) / (1 - RELATIVE_ACCURACY - 0.001)

/**
 * What is counted and what is picked is the same: counts, least and greatest, and users too, since both ways end in the same registers. Sums of decimals
 * (raw rows) and of doubles (rollups) differ by the rounding of each number and of the sum, percentiles by what their sketches promise.
 */
function expectClose(agg: string, a: number | null | undefined, b: number | null | undefined): void {
  const off = { sum: Number.EPSILON * NUMBER_MAX * COUNT_MAX, avg: Number.EPSILON * NUMBER_MAX }[agg]
  if (typeof a !== 'number' || typeof b !== 'number' || !['sum', 'avg', 'p50', 'p95', 'p99'].includes(agg))
    expect(a).toBe(b)
  else if (off === undefined) expect(Math.abs(a - b)).toBeLessThanOrEqual(Math.abs(b) * QUANTILE_OFF)
  else expect(Math.abs(a - b)).toBeLessThanOrEqual(Math.abs(b) * 1e-12 + off)
}
