import { expect } from '@jest/globals'
import type { QueryPoint, RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import type { TestDefinition, TestEvent } from './generated-data.js'
import { queryOf, type TestAnswer } from './service-under-test.js'

export const START = Date.UTC(2026, 9, 20)
export const DAYS = 8
export const DAY = 86_400_000
export const DEFINITIONS: TestDefinition[] = [
  { event: 'Flight', dimensions: ['properties.carrier'], property: null },
  { event: 'Flight', dimensions: ['properties.carrier', 'properties.stops'], property: 'properties.delay' },
  { event: '*', dimensions: ['properties.country'], property: null, activeFromMs: START + 2 * DAY + 34 * 60_000 + 1 },
]

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
        ...(next() < 0.9 && { carrier: pick(['UA', 'AA', 'DL', 12, true, null, { code: 'UA' }]) }),
        ...(next() < 0.9 && { stops: pick([0, 1, 2, '1']) }),
        ...(next() < 0.9 && { delay: pick([Math.floor(next() * 500) - 60, next() * 100, 'late', null]) }),
        country: pick(['de', 'fr', 'us']),
      },
      partition,
      position,
    }
  })
}

const instant = fc.oneof(
  fc.integer({ min: 0, max: DAYS * 24 }).map((hours) => START + hours * 3_600_000),
  fc.integer({ min: -DAY, max: (DAYS + 1) * DAY }).map((ms) => START + ms),
)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: new Date(Math.min(a, b)), to: new Date(Math.max(a, b)) }))
const filters = fc.constantFrom<RunQueryRequest['filters']>(
  [],
  [{ property: 'properties.carrier', op: 'eq', valueJson: '"UA"' }],
  [{ property: 'properties.carrier', op: 'in', valueJson: '["AA", 12]' }],
  [{ property: 'properties.carrier', op: 'ne', valueJson: '"12"' }],
)
/** A question about flights; all of its range, kind, metric, filters and groups vary. */
export const question = fc
  .record({
    kind: fc.constantFrom('timeseries', 'top', 'breakdown', 'uniques', 'percentiles'),
    metric: fc.constantFrom(
      ...['count', 'uniques'].map((agg) => ({ agg, property: '' })),
      ...['sum', 'avg', 'min', 'max', 'p50', 'p95', 'p99'].map((agg) => ({ agg, property: 'properties.delay' })),
    ),
    range,
    interval: fc.constantFrom('1h', '1d', '1w'),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kolkata', 'America/New_York'),
    filters,
    groupBy: fc.constantFrom<string[]>(
      ['properties.carrier'],
      ['properties.carrier', 'properties.stops'],
      ['properties.stops'],
    ),
    isGrouped: fc.boolean(),
  })
  .map(({ range: { from, to }, isGrouped, ...fields }) => {
    const metric = fields.kind === 'percentiles' ? { agg: 'p95', property: 'properties.delay' } : fields.metric
    const needsGroup = fields.kind === 'top' || fields.kind === 'breakdown'
    return queryOf({
      ...fields,
      metric,
      from,
      to,
      event: 'Flight',
      groupBy: isGrouped || needsGroup ? fields.groupBy : [],
      limit: 1000,
    })
  })

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
  return { ...request, filters: [...request.filters, { property: 'event', op: 'prefix', valueJson: '"Flig"' }] }
}

/** Both hold the same points; the order of equal ranks is open. */
export function expectSame(a: TestAnswer, b: TestAnswer): void {
  const text = ({ time, group }: QueryPoint) => `${time ?? ''} ${JSON.stringify(group)}`
  const left = a.data.map((point) => [text(point), point] as const).sort(([x], [y]) => (x < y ? -1 : 1))
  const right = b.data.map((point) => [text(point), point] as const).sort(([x], [y]) => (x < y ? -1 : 1))
  expect(left.map(([key]) => key)).toEqual(right.map(([key]) => key))
  left.forEach(([, point], index) => {
    const other = right[index]?.[1]
    expectClose(point.value, other?.value)
    for (const [name, value] of Object.entries(point.values ?? {})) expectClose(value, other?.values?.[name])
  })
}

/** Percentiles of raw rows come through bins of 0.1 %, sums of decimals are rounded once more. Counts and uniques are the same. */
function expectClose(a: number | null, b: number | null | undefined): void {
  if (a === null || b === null || b === undefined || (Number.isInteger(a) && Number.isInteger(b))) expect(a).toBe(b)
  else expect(Math.abs(a - b)).toBeLessThanOrEqual(Math.abs(b) * 0.018 + 1e-9)
}
