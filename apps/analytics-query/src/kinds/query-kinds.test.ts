import { describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { encodePosition } from '@millrace/pagination'
import type { ParsedQuery } from './query-kind.js'
import { createQueryKinds } from './query-kinds.js'

const NOW = Date.UTC(2026, 10, 21, 12, 30, 20)
const unread = () => Promise.reject(new Error('parsing reads nothing'))
const kinds = createQueryKinds({
  limits: { bucketsMax: 1000, cellsMax: 1000 },
  runCells: unread,
  readMarks: unread,
  readLogins: unread,
  readDaily: unread,
})

const base: RunQueryRequest = {
  kind: 'timeseries',
  event: 'Flight',
  metric: undefined,
  from: new Date('2026-11-01T00:00:00Z'),
  to: new Date('2026-11-08T00:00:00Z'),
  interval: '',
  timezone: '',
  filters: [],
  groupBy: [],
  limit: 0,
  cursor: '',
  explain: false,
  steps: [],
  windowMs: 0n,
  returnEvent: '',
  periods: 0,
  compare: '',
  fill: '',
  minWatermark: undefined,
  fresh: false,
}

function parse(fields: Partial<RunQueryRequest>, tenantId = 7): ParsedQuery {
  const request = { ...base, ...fields }
  return kinds.find(request.kind).parse(request, { tenantId, nowMs: NOW, read: unread })
}

const carrier = { property: 'properties.carrier', op: 'in', valueJson: '["UA","AA"]' }
const delay = { property: 'properties.delay', op: 'gt', valueJson: '5' }
const october = { from: new Date('2026-10-01T00:00:00Z'), to: new Date('2026-11-01T00:00:00Z') }
const beforeDecember = { from: new Date('2026-11-01T06:00:00Z'), to: new Date('2026-12-01T06:00:00Z') }
const oneMonday = { from: new Date('2026-11-02T00:00:00Z'), to: new Date('2026-11-03T00:00:00Z') }
const steps = ['View', 'Buy'].map((event) => ({ event, filters: [] }))

describe('a parsed query', () => {
  it.each<[string, Partial<RunQueryRequest>, Partial<RunQueryRequest>]>([
    [
      'defaults are written out',
      {},
      { metric: { agg: 'count', property: '' }, interval: '1h', timezone: 'UTC', limit: 10_000 },
    ],
    [
      'filters and their values come in another order',
      { filters: [carrier, delay] },
      { filters: [delay, { ...carrier, valueJson: '["AA","UA","UA"]' }] },
    ],
    [
      'one value stands alone instead of in a list',
      { filters: [{ ...carrier, op: 'eq', valueJson: '"UA"' }] },
      { filters: [{ ...carrier, valueJson: '["UA"]' }] },
    ],
    [
      'only explain, fresh, wait or min_watermark differ',
      {},
      { explain: true, fresh: true, waitMs: 9, minWatermark: new Date(NOW) },
    ],
    [
      'only the time zone differs and there are no buckets',
      { kind: 'uniques' },
      { kind: 'uniques', timezone: 'Asia/Tokyo' },
    ],
    [
      'the default window is written out',
      { kind: 'funnel', steps },
      { kind: 'funnel', steps, windowMs: 1_209_600_000n },
    ],
  ])('has the same canonical key when %s', (_title, one, other) => {
    expect(parse(one).canonicalKey).toBe(parse(other).canonicalKey)
  })

  it.each<[string, Partial<RunQueryRequest>, Partial<RunQueryRequest>]>([
    ['kinds', { interval: '1h' }, { kind: 'uniques', interval: '1h' }],
    ['events', {}, { event: 'Search' }],
    ['ranges', {}, { to: new Date('2026-11-09T00:00:00Z') }],
    ['time zones', { interval: '1d' }, { interval: '1d', timezone: 'Asia/Tokyo' }],
    ['filters', { filters: [carrier] }, { filters: [{ ...carrier, op: 'not_in' }] }],
    ['limits', {}, { limit: 5 }],
    ['comparisons', {}, { compare: 'previous' }],
    ['values of fill', {}, { fill: 'none' }],
    ['steps', { kind: 'funnel', steps }, { kind: 'funnel', steps: [...steps].reverse() }],
    [
      'filters of steps',
      { kind: 'funnel', steps },
      { kind: 'funnel', steps: steps.map((step) => ({ ...step, filters: [delay] })) },
    ],
    ['windows', { kind: 'sessions' }, { kind: 'sessions', windowMs: 60_000n }],
    ['return events', { kind: 'retention' }, { kind: 'retention', returnEvent: 'Buy' }],
    ['periods', { kind: 'retention' }, { kind: 'retention', periods: 3 }],
    [
      'previous months of a comparison',
      { ...october, kind: 'uniques', compare: 'previous' },
      { ...october, kind: 'uniques', compare: 'previous', timezone: 'Asia/Tokyo' },
    ],
    [
      'previous days of a comparison that begin at the same instant',
      { ...beforeDecember, kind: 'funnel', steps, compare: 'previous', timezone: 'Europe/London' },
      { ...beforeDecember, kind: 'funnel', steps, compare: 'previous', timezone: 'America/New_York' },
    ],
    [
      'previous days and weeks of a comparison over one day',
      { ...oneMonday, kind: 'stickiness', compare: 'previous', interval: '1d' },
      { ...oneMonday, kind: 'stickiness', compare: 'previous', interval: '1w' },
    ],
    ['intervals over the same range', { kind: 'retention', interval: '1d' }, { kind: 'retention', interval: '1mo' }],
  ])('has a different canonical key for different %s', (_title, one, other) => {
    expect(parse(one).canonicalKey).not.toBe(parse(other).canonicalKey)
  })

  it('has a different canonical key for each tenant', () => {
    expect(parse({}).canonicalKey).not.toBe(parse({}, 8).canonicalKey)
  })

  it.each([
    ['UTC', '2026-10-01', '2026-11-01', '2026-10-01T00:00:00.000Z', '2026-11-01T00:00:00.000Z'],
    ['Europe/Berlin', '2026-10-01', '2026-11-01', '2026-09-30T22:00:00.000Z', '2026-10-31T23:00:00.000Z'],
    ['Asia/Kolkata', '2026-10-01', '2026-10-02', '2026-09-30T18:30:00.000Z', '2026-10-01T18:30:00.000Z'],
    // The clocks go from midnight of 6 September to one o'clock.
    ['America/Santiago', '2026-09-06', '2026-09-07', '2026-09-06T04:00:00.000Z', '2026-09-07T03:00:00.000Z'],
  ])(
    'starts and ends at midnight in %s when the request has days without a time',
    (timezone, from, to, fromTime, toTime) => {
      const days = { timezone, from: new Date(from), fromIsLocal: true, to: new Date(to), toIsLocal: true }
      const rangeOf = ({ fromMs, toMs }: ParsedQuery) => [fromMs, toMs].map((ms) => new Date(ms).toISOString())
      expect(rangeOf(parse(days))).toEqual([fromTime, toTime])
      expect(rangeOf(parse({ ...days, kind: 'retention' }))).toEqual([fromTime, toTime])
      expect(parse(days).canonicalKey).toBe(
        parse({ timezone, from: new Date(fromTime), to: new Date(toTime) }).canonicalKey,
      )
      const cursor = encodePosition([Date.parse(toTime)])
      expect(rangeOf(parse({ ...days, cursor }))).toEqual([fromTime, toTime])
      expect(rangeOf(parse({ ...days, toIsLocal: undefined }))).toEqual([fromTime, new Date(to).toISOString()])
    },
  )

  it('depends on the previous period with compare, on one gap before the range for sessions, and on every event that it names', () => {
    const day = 86_400_000
    const fromMs = Date.parse('2026-11-01T00:00:00Z')
    expect(parse({ compare: 'previous' })).toMatchObject({
      fromMs: fromMs - 7 * day,
      toMs: fromMs + 7 * day,
      events: ['Flight'],
    })
    expect(parse({ kind: 'sessions', event: '' })).toMatchObject({ fromMs: fromMs - 1_800_000, events: '*' })
    expect(parse({ kind: 'funnel', steps, compare: 'previous' })).toMatchObject({
      fromMs: fromMs - 7 * day,
      events: ['Buy', 'View'],
    })
    expect(parse({ kind: 'retention', returnEvent: 'Buy' })).toMatchObject({ fromMs, events: ['Buy', 'Flight'] })
    expect(parse({ kind: 'logins' })).toMatchObject({ events: ['$login'] })
  })
})
