import { describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { queryKinds } from '@millrace/contracts/http'
import fc from 'fast-check'
import type { MarksQuery } from '../journeys/marks.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { Filter } from '../query/filter.js'
import { createQueryKinds } from './query-kinds.js'

const NOW = Date.parse('2026-12-01T12:30:20Z')
const HOUR = 3_600_000
const meta = { source: 'raw', ageMs: 0, watermarkMs: NOW, plan: null } as const
const summary = {} as never

/** The answer to a request and everything that was read for it. The readers return data that depends only on what is requested from them. */
async function answer(request: RunQueryRequest) {
  const reads: unknown[] = []
  const readCells = (query: CellQuery) => {
    const { event, metric, filters, groupBy, fromMs, toMs, bucketStarts } = query
    const groups = groupBy.map(({ name }) => name)
    reads.push({ event, metric, filters: plain(filters), groups, fromMs, toMs, bucketStarts })
    return Promise.resolve({ cells: cellsOf(query), summary, meta })
  }
  const kinds = createQueryKinds({
    limits: { bucketsMax: 3000, cellsMax: 10_000 },
    runCells: (_, query) => readCells(query),
    readLogins: (_, query) => readCells(query),
    readMarks(_, query) {
      const { conditions, groupBy, ...rest } = query
      reads.push({ ...rest, groups: groupBy.map(({ name }) => name), conditions: conditions.map(plainCondition) })
      return Promise.resolve({ marks: { chunks: [chunkOf(query)], groups: [groupBy.map(() => 'a')] }, meta })
    },
    readDaily(_, range) {
      reads.push(range)
      return Promise.resolve({ days: new Map(), meta })
    },
  })
  const query = kinds
    .find(request.kind)
    .parse(request, { tenantId: 7, nowMs: NOW, read: (fn) => fn(undefined as never) })
  const { data, nextCursor } = await query.run()
  const { kind, fromMs, toMs, events } = query
  return { key: query.canonicalKey, facts: { kind, fromMs, toMs, events, reads, data, nextCursor } }
}

/** Filters in a normal form: neither their order nor that of the values in a list matters. */
function plain(filters: readonly Filter[]): readonly string[] {
  const texts = filters.map((filter) => {
    const { path, ...rest } = filter
    return JSON.stringify({
      ...rest,
      path: path.name,
      ...('texts' in rest && { texts: [...new Set(rest.texts)].sort() }),
    })
  })
  return texts.sort()
}

function plainCondition({ event, filters }: MarksQuery['conditions'][number]) {
  return { event, filters: plain(filters) }
}

/** Cells with values that differ by bucket, range and group. */
function cellsOf({ bucketStarts, groupBy, toMs }: CellQuery): Cell[] {
  return bucketStarts.slice(0, 50).flatMap((start, bucket) =>
    (groupBy.length === 0 ? [''] : ['a', 'b']).map((text, place) => ({
      bucket,
      group: groupBy.map(() => text),
      value: ((toMs - start) / 60_000) * 2 + place,
      values: {},
    })),
  )
}

/** Events of three users, spread over the range, that match every condition. */
function chunkOf({ fromMs, toMs, conditions }: MarksQuery) {
  const bytes = Buffer.alloc(15 * 24)
  for (let row = 0; row < 15; row++) {
    const ms = fromMs + Math.floor(((toMs - fromMs) * row) / 15)
    bytes.writeBigInt64BE(BigInt(row % 3), row * 24)
    bytes.writeBigInt64BE(BigInt(ms - Date.UTC(2000, 0, 1)) * 1000n, row * 24 + 8)
    bytes.writeBigInt64BE(BigInt(row), row * 24 + 16)
  }
  return { mask: 2 ** conditions.length - 1, group: 0, layout: { of: 'rows' }, bytes } as const
}

const carrier = { property: 'properties.carrier', op: 'in', valueJson: '["UA","AA"]' }
const delay = { property: 'properties.delay', op: 'gt', valueJson: '5' }
const step = (event: string) => ({ event, filters: [] })
const steps = [step('View'), step('Buy')]

/** Midnights, month starts and clock changes of UTC and other zones. */
const instant = fc
  .tuple(
    fc.constantFrom('2026-09-01', '2026-10-01', '2026-10-25', '2026-10-26', '2026-11-01', '2026-11-02', '2026-12-01'),
    fc.constantFrom(0, -9, -2, -1, 4, 5, 6, 12.5),
  )
  .map(([day, hours]) => Date.parse(`${day}T00:00:00Z`) + hours * HOUR)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: new Date(Math.min(a, b)), to: new Date(Math.max(a, b)) }))

/** A few values for each field of a request, some of them equivalent. */
const fields = {
  kind: fc.constantFrom(...Object.keys(queryKinds)),
  range: fc.option(range, { nil: { from: undefined, to: undefined }, freq: 10 }),
  event: fc.constantFrom('', 'Flight', 'Search'),
  metric: fc.constantFrom(undefined, { agg: 'count', property: '' }, { agg: 'sum', property: 'properties.delay' }),
  interval: fc.constantFrom('', '1h', '1d', '1w', '1mo'),
  afterRange: fc.constantFrom(undefined, false, true),
  weekStart: fc.constantFrom(undefined, '', 'monday', 'sunday', 'saturday'),
  timezone: fc.constantFrom('', 'UTC', 'Asia/Tokyo', 'Europe/Berlin', 'Europe/London', 'America/New_York'),
  filters: fc.constantFrom<RunQueryRequest['filters'][]>(
    [],
    [carrier],
    [delay, carrier],
    [carrier, delay],
    [{ ...carrier, valueJson: '["AA","UA"]' }],
  ),
  groupBy: fc.constantFrom<string[][]>([], ['properties.carrier'], ['properties.carrier', 'user_id']),
  limit: fc.constantFrom(0, 2, 100),
  steps: fc.constantFrom(steps, [...steps].reverse(), [step('View'), { event: 'Buy', filters: [delay] }]),
  windowMs: fc.constantFrom(0n, 1_800_000n, 86_400_000n, 1_209_600_000n),
  returnEvent: fc.constantFrom('', 'Buy'),
  periods: fc.constantFrom(0, 3, 366),
  compare: fc.constantFrom('', 'previous', 'previous'),
  fill: fc.constantFrom('', 'zero', 'none'),
}
type Fields = { [Name in keyof typeof fields]: (typeof fields)[Name] extends fc.Arbitrary<infer T> ? T : never }

/** A request, and the same request with one or two fields changed; often the time zone, which matters least by itself. */
const changed = fc.constantFrom(...Object.keys(fields), 'timezone', 'timezone', 'timezone')
const pair = fc
  .tuple(fc.record(fields), fc.record(fields), fc.tuple(changed, changed))
  .map(([one, other, names]): readonly [Fields, Fields] => {
    const changes = Object.entries(other).filter(([name]) => name !== 'kind' && names.includes(name))
    return [one, { ...one, ...(Object.fromEntries(changes) as Partial<Fields>) }]
  })

/** The fields that the kind accepts. */
function requestOf({ range: { from, to }, ...rest }: Fields): RunQueryRequest {
  const { kind, interval, groupBy } = rest
  const isRanked = kind === 'top' || kind === 'breakdown'
  const common = { cursor: '', explain: false, fresh: false, minWatermark: undefined, from, to }
  return {
    ...rest,
    ...common,
    ...(kind === 'percentiles' && { metric: { agg: 'p95', property: 'properties.delay' } }),
    ...((kind === 'retention' || kind === 'stickiness') && { interval: interval === '1h' ? '' : interval }),
    ...(isRanked && groupBy.length === 0 && { groupBy: ['user_id'] }),
    ...(kind === 'daily' && { timezone: '', filters: [] }),
    ...(kind === 'logins' && { filters: [], groupBy: groupBy.length === 0 ? [] : ['method'] }),
  }
}

describe('a canonical key', () => {
  it('is equal only for requests that read the same and have the same answer', async () => {
    let equal = 0
    await fc.assert(
      fc.asyncProperty(pair, async ([one, other]) => {
        const [a, b] = await Promise.all([answer(requestOf(one)), answer(requestOf(other))])
        if (a.key !== b.key) return
        equal++
        expect(b.facts).toEqual(a.facts)
      }),
      { numRuns: 700, seed: 7 },
    )
    expect(equal).toBeGreaterThan(100)
  })
})
