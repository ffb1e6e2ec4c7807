import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import type { CursorValue } from '@millrace/pagination'
import { storeEvents, storePartition, storeRollups, type TestEvent } from './generated-data.js'
import {
  createTenant,
  forgeCursor,
  listOf,
  queryOf,
  type ServiceUnderTest,
  startServiceUnderTest,
} from './service-under-test.js'

const START = Date.parse('2026-10-24T00:00:00Z')
const HOUR = 3_600_000
const NOW = START + 96 * HOUR
const RANGE = { from: new Date(START), to: new Date(NOW) }

describe('a query', () => {
  let service: ServiceUnderTest
  let acme: number
  let other: number
  let wide: number
  let nowMs = NOW

  /** One event each half hour over the end of summer time; carriers by turns. */
  const eventsOf = (tenantId: number): TestEvent[] =>
    Array.from({ length: 192 }, (_, index) => ({
      tenantId,
      event: index % 4 === 0 ? 'Search' : 'Flight',
      userId: `user-${index % 10}`,
      timestampMs: START + index * (HOUR / 2) + 1,
      properties: {
        carrier: ['UA', 'AA', 'DL'][index % 3],
        delay: index,
        "it's": 1,
        'a"b': index % 2,
        deep: { list: [index] },
      },
      partition: index % 4,
      position: Math.floor(index / 4),
    }))

  /** Sizes of 1 to 99, one that is 10^17 and one that is 10^-250. */
  const outliersOf = (tenantId: number): TestEvent[] =>
    [1e-250, ...Array.from({ length: 99 }, (_, index) => index + 1), 1e17].map((size, position) => ({
      tenantId,
      event: 'Wide',
      userId: 'u',
      timestampMs: START + position * 1000,
      properties: { size, same: size },
      partition: 0,
      position: 2000 + position,
    }))

  /** Each is a double and their sum is none, within a minute, over minutes, and over days. */
  const sumsOf = (tenantId: number): TestEvent[] =>
    [1.7e308, 1.6e308, -1.5e308, 1.5e308, 1.4e308, 1.7e308].map((size, index) => ({
      tenantId,
      event: 'Huge sum',
      userId: 'u',
      timestampMs: START + Math.floor(index / 2) * 13 * HOUR + (index % 2) * (index < 4 ? 1000 : 60_000),
      properties: { size, same: size },
      partition: 1,
      position: 3000 + index,
    }))

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => nowMs, tailRowsMax: 100 })
    acme = await createTenant(service.database, 'acme')
    other = await createTenant(service.database, 'other')
    const events = [...eventsOf(acme), ...eventsOf(other)]
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, [
      { event: 'Flight', dimensions: ['properties.carrier'], property: 'properties.delay' },
    ])
    wide = await createTenant(service.database, 'wide')
    const outliers = outliersOf(wide)
    await storeEvents(service.database, outliers)
    await storeRollups(service.database, outliers, [{ event: 'Wide', dimensions: [], property: 'properties.size' }])
    const sums = sumsOf(wide)
    await storeEvents(service.database, sums)
    await storeRollups(service.database, sums, [{ event: 'Huge sum', dimensions: [], property: 'properties.size' }])
  })
  afterAll(() => service.close())

  const run = (fields: Partial<RunQueryRequest>, tenantId = acme) =>
    service.query(queryOf({ ...RANGE, ...fields }), tenantId)
  const planOf = async (fields: Partial<RunQueryRequest>) =>
    JSON.parse((await run(fields)).meta?.planJson ?? '') as { source: string; unflushed: { mode: string } }
  const total = async (fields: Partial<RunQueryRequest>, tenantId = acme) =>
    (await run(fields, tenantId)).data.reduce((sum, { value }) => sum + (value ?? 0), 0)

  it('over local days counts the 25 hours of the day the clocks go back', async () => {
    const days = {
      from: new Date('2026-10-24T22:00:00Z'),
      to: new Date('2026-10-26T23:00:00Z'),
      interval: '1d',
      timezone: 'Europe/Berlin',
    }
    const answer = await run(days)
    expect(answer.data.map(({ time, value }) => [time, value])).toEqual([
      ['2026-10-24T22:00:00.000Z', 50],
      ['2026-10-25T23:00:00.000Z', 48],
    ])
    expect(answer.meta?.source).toBe('rollup')
  })

  it('fills empty buckets with 0 for counts and null for averages', async () => {
    const before = { from: new Date(START - 2 * HOUR), to: new Date(START + HOUR) }
    expect((await run(before)).data.map(({ value }) => value)).toEqual([0, 0, 2])
    const averages = await run({ ...before, event: 'Flight', metric: { agg: 'avg', property: 'properties.delay' } })
    expect(averages.data.map(({ value }) => value)).toEqual([null, null, 1])
  })

  it('ranks groups, and its pages have no gap and no repetition', async () => {
    const all = await run({ kind: 'top', groupBy: ['user_id', 'properties.carrier'], limit: 1000 })
    const seen: unknown[] = []
    let cursor = ''
    do {
      const page = await run({ kind: 'top', groupBy: ['user_id', 'properties.carrier'], limit: 7, cursor })
      seen.push(...page.data.map(({ group, value }) => ({ group, value })))
      cursor = page.nextCursor
    } while (cursor !== '')
    expect(seen).toEqual(all.data.map(({ group, value }) => ({ group, value })))
    expect(seen).toHaveLength(30)
  })

  it.each([
    ['event', { event: 'Boarding' }],
    ['metric', { metric: { agg: 'sum', property: 'properties.delay' } }],
    ['group', { groupBy: ['user_id'] }],
    ['range', { from: new Date(START - HOUR) }],
  ])('rejects the cursor of a query with another %s', async (_, difference) => {
    const fields = { kind: 'top', groupBy: ['properties.carrier', 'user_id'] }
    const { nextCursor } = await run({ ...fields, limit: 2 })
    expect((await run({ ...fields, limit: 3, cursor: nextCursor, fresh: true })).data).toHaveLength(3)
    const asked = run({ ...fields, limit: 2, cursor: nextCursor, ...difference })
    await expect(asked).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
  })

  it.each(['top', 'breakdown', 'timeseries'])(
    'returns the pages of a %s while rows are inserted, with every group once',
    async (kind) => {
      const seenBy = (userId: string, position: number): TestEvent => ({
        ...{ tenantId: acme, event: `Moving ${kind}`, userId, properties: null },
        ...{ timestampMs: START + HOUR, partition: 2, position: 5000 + position },
      })
      const fields = { kind, event: `Moving ${kind}`, groupBy: ['user_id'], limit: 1 }
      await storeEvents(service.database, ['a', 'b', 'c', 'd'].map(seenBy))
      const seen: string[] = []
      let cursor = ''
      for (let page = 0; page === 0 || cursor !== ''; page++) {
        const answer = await run({ ...fields, cursor })
        seen.push(...answer.data.map(({ group }) => group?.user_id ?? ''))
        cursor = answer.nextCursor
        // The last one overtakes all others, and so does one that is new.
        if (page === 0)
          await storeEvents(
            service.database,
            [4, 5, 6].flatMap((at) => [seenBy('d', at), seenBy('e', at + 3)]),
          )
      }
      expect(seen.filter((user) => user !== 'e').sort()).toEqual(['a', 'b', 'c', 'd'])
      expect(seen.filter((user) => user === 'e')).toHaveLength(1)
      await service.database.query('delete from events where event = $1', [fields.event])
    },
  )

  it.each(['timeseries', 'breakdown'])('returns the pages of a %s without a gap or a repetition', async (kind) => {
    const fields = { kind, groupBy: ['properties.carrier'], interval: '1h' }
    const all = await run({ ...fields, limit: 1000 })
    const seen: unknown[] = []
    let cursor = ''
    do {
      const page = await run({ ...fields, limit: 2, cursor })
      seen.push(...page.data)
      cursor = page.nextCursor
    } while (cursor !== '')
    expect(seen).toEqual(all.data)
  })

  const shown = new Uint8Array(6)
  /** The end of the range and what follows it; a ranking has the shown groups there. */
  const forgeries: [string, number, ...CursorValue[]][] = [
    ['an end that is no date', 8_900_000_000_000_000],
    ['an end that PostgreSQL does not know', 400_000_000_000_000],
    ['an end before all time', -9_000_000_000_000_000],
    ['an end that is a fraction', 1_793_059_200_000.5],
    ['the end of another range', NOW - HOUR],
    ['a number that is not finite', NOW, Number.POSITIVE_INFINITY],
    ['fewer fingerprints than groups', NOW, 2, shown],
    ['a number of groups beyond all integers', NOW, 1e99, shown],
  ]
  it.each(forgeries)('rejects a forged cursor with %s, for every kind', async (_, toMs, ...rest) => {
    const kinds: Partial<RunQueryRequest>[] = [
      ...['timeseries', 'top', 'breakdown', 'uniques', 'sessions', 'retention', 'stickiness'].map((kind) => ({
        kind,
        groupBy: ['properties.carrier'],
      })),
      { kind: 'percentiles', groupBy: ['properties.carrier'], metric: { agg: 'p50', property: 'properties.delay' } },
      { kind: 'funnel', steps: ['Search', 'Flight'].map((event) => ({ event, filters: [] })) },
      { kind: 'logins', interval: '1h' },
      { kind: 'daily' },
    ]
    // Without a range the cursor alone says where it ends, and that may be anywhere within the bounds.
    const ranges = toMs === NOW - HOUR ? [RANGE] : [RANGE, { from: undefined, to: undefined }]
    for (const fields of ranges.flatMap((range) => kinds.map((kind) => ({ ...kind, ...range, limit: 1 })))) {
      const isWhole = rest.length === 0 && fields.kind === 'top'
      const values = [toMs, ...(isWhole ? [1, shown] : rest)]
      const cursor = forgeCursor((await run(fields)).nextCursor, values)
      await expect(run({ ...fields, cursor })).rejects.toMatchObject({ code: 'INVALID_CURSOR' })
    }
  })

  it('has the range of the first page on all pages, also without an end in the request', async () => {
    for (const kind of ['timeseries', 'daily']) {
      const fields = { kind, from: undefined, to: undefined, limit: 1 }
      const { data, nextCursor } = await run(fields)
      nowMs += 60 * HOUR
      const next = await run({ ...fields, limit: 10_000, cursor: nextCursor })
      nowMs = NOW
      const whole = await run({ ...fields, limit: 10_000 })
      expect([...data, ...next.data]).toEqual(whole.data)
    }
  })

  it('never fails with an internal error for a forged cursor of the list of events', async () => {
    const times: CursorValue[] = [
      0,
      -1,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      START * 1000,
      1.5,
      9e18,
      'x',
      null,
    ]
    for (const timestampUs of times)
      for (const place of [
        [0, '0'],
        [32_767, '999999999999999999'],
        [32_768, '0'],
        [-1, '0'],
        [0, '-1'],
        [0, 7],
      ] as CursorValue[][]) {
        for (const userId of ['', 'user-1']) {
          const { nextCursor } = await service.calls.listEvents(listOf({ limit: 1, userId }), { tenant: String(acme) })
          const cursor = forgeCursor(nextCursor, [timestampUs, ...place])
          const listed = service.calls.listEvents(listOf({ limit: 1, cursor, userId }), { tenant: String(acme) })
          const code = await listed.then(
            () => 'OK',
            (error: { code: string }) => error.code,
          )
          expect(['OK', 'INVALID_CURSOR']).toContain(code)
        }
      }
  })

  it.each([
    ['rollups', 'properties.size', 'rollup'],
    ['raw rows', 'properties.same', 'raw'],
  ])('has percentiles within 1 %, also with outliers, from %s', async (_title, property, source) => {
    const answer = await run({ kind: 'percentiles', event: 'Wide', metric: { agg: 'p50', property } }, wide)
    expect(answer.meta).toMatchObject({ source })
    const values = answer.data[0]?.values
    expect(values?.count).toBe(101)
    for (const [name, exact] of Object.entries({ p50: 50, p95: 95, p99: 99 }))
      expect(Math.abs((values?.[name] ?? 0) / exact - 1)).toBeLessThan(0.01)
  })

  it('has percentiles within 1 %, with their count', async () => {
    const [point] = (
      await run({ kind: 'percentiles', event: 'Flight', metric: { agg: 'p99', property: 'properties.delay' } })
    ).data
    const delays = Array.from({ length: 192 }, (_, index) => index).filter((index) => index % 4 !== 0)
    expect(point?.values?.count).toBe(delays.length)
    for (const [name, share] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      const exact = delays[Math.max(Math.ceil(share * delays.length), 1) - 1] as number
      expect(Math.abs((point?.values?.[name] ?? 0) - exact)).toBeLessThanOrEqual(exact * 0.01)
    }
    expect(point?.value).toBe(point?.values?.p99)
  })

  it('has the source of the answer in meta, and the plan with explain', async () => {
    expect(await planOf({ interval: '1d' })).toMatchObject({
      source: 'rollup',
      series: { event: null },
      rollup: [{ window_seconds: 86_400 }],
    })
    expect((await run({ explain: false })).meta?.planJson).toBe('')
  })

  it('never counts the events of another tenant, from rollups or from raw rows', async () => {
    expect(await total({})).toBe(192)
    expect(await total({ filters: [{ property: 'user_id', op: 'exists', valueJson: '' }] })).toBe(192)
    expect(await total({}, 999)).toBe(0)
    expect(await total({ filters: [{ property: 'user_id', op: 'exists', valueJson: '' }] }, 999)).toBe(0)
  })

  it.each<[string, RunQueryRequest['filters'][number], number]>([
    ['eq', { property: 'properties.carrier', op: 'eq', valueJson: '"UA"' }, 64],
    ['ne', { property: 'properties.carrier', op: 'ne', valueJson: '"UA"' }, 128],
    ['in', { property: 'properties.carrier', op: 'in', valueJson: '["UA","AA"]' }, 128],
    ['gt', { property: 'properties.delay', op: 'gt', valueJson: '100' }, 91],
    ['gte', { property: 'properties.delay', op: 'gte', valueJson: '100' }, 92],
    ['lt', { property: 'properties.delay', op: 'lt', valueJson: '100' }, 100],
    ['lte', { property: 'properties.delay', op: 'lte', valueJson: '100.5' }, 101],
    ['lt on text', { property: 'properties.carrier', op: 'lt', valueJson: '"B"' }, 64],
    ['exists', { property: 'properties.missing', op: 'exists', valueJson: '' }, 0],
    ['prefix', { property: 'properties.carrier', op: 'prefix', valueJson: '"U"' }, 64],
    ['not_in', { property: 'properties.carrier', op: 'not_in', valueJson: '["UA","AA"]' }, 64],
    ['not_in on an absent field', { property: 'properties.missing', op: 'not_in', valueJson: '["UA"]' }, 192],
    ['not_exists', { property: 'properties.missing', op: 'not_exists', valueJson: '' }, 192],
    ['not_exists on a column', { property: 'user_id', op: 'not_exists', valueJson: '' }, 0],
    ['not_prefix', { property: 'properties.carrier', op: 'not_prefix', valueJson: '"U"' }, 128],
    ['not_prefix on a number', { property: 'properties.delay', op: 'not_prefix', valueJson: '"1"' }, 192],
    ['not_prefix on a column', { property: 'user_id', op: 'not_prefix', valueJson: '"user-1"' }, 172],
    ['prefix on a column', { property: 'user_id', op: 'prefix', valueJson: '"user-1"' }, 20],
    ['a user', { property: 'user_id', op: 'eq', valueJson: '"user-1"' }, 20],
    ['a type', { property: 'type', op: 'eq', valueJson: '"track"' }, 192],
    ['a list item', { property: 'properties.deep.list.0', op: 'eq', valueJson: '5' }, 1],
    ['a number given as text', { property: 'properties.delay', op: 'eq', valueJson: '"7"' }, 1],
    ['a name with quotes', { property: `properties.it's`, op: 'eq', valueJson: '1' }, 192],
    ['a name with double quotes', { property: 'properties.a"b', op: 'eq', valueJson: '1' }, 96],
    ['SQL in a path', { property: `properties.x'}') or true --`, op: 'exists', valueJson: '' }, 0],
    ['SQL in a value', { property: 'properties.carrier', op: 'eq', valueJson: `"UA' or '1'='1"` }, 0],
    ['a pattern in a prefix', { property: 'properties.carrier', op: 'prefix', valueJson: '"%"' }, 0],
  ])('filters by %s', async (_title, filter, expected) => {
    expect(await total({ filters: [filter] })).toBe(expected)
  })

  it('does not fail for numbers that are too large for a double', async () => {
    const huge = {
      tenantId: acme,
      event: 'Huge',
      userId: 'u',
      timestampMs: START,
      properties: null,
      partition: 0,
      position: 999,
    }
    await storeEvents(service.database, [huge])
    await service.database.query(`update events set properties = '{"n": 1e400, "m": 1e-400}' where event = 'Huge'`)
    const sum = (property: string) =>
      run({ event: 'Huge', kind: 'breakdown', groupBy: ['event'], metric: { agg: 'sum', property } })
    expect((await sum('properties.n')).data).toEqual([])
    expect((await sum('properties.m')).data[0]?.value).toBe(0)
    const p50 = await run({ event: 'Huge', kind: 'percentiles', metric: { agg: 'p50', property: 'properties.m' } })
    expect(p50.data[0]?.value).toBe(0)
    await service.database.query(`delete from events where event = 'Huge'`)
  })

  it.each<[string, Partial<RunQueryRequest>, string]>([
    ['an unknown kind', { kind: 'histogram' }, 'UNKNOWN_QUERY_KIND'],
    ['an unknown operator', { filters: [{ property: 'event', op: 'like', valueJson: '"x"' }] }, 'UNKNOWN_OPERATOR'],
    ['a path that is none', { groupBy: ['tenant_id'] }, 'INVALID_FIELD_PATH'],
    ['a path with an empty part', { groupBy: ['properties..a'] }, 'INVALID_FIELD_PATH'],
    ['a place from the end of a list', { groupBy: ['properties.deep.list.-1'] }, 'INVALID_FIELD_PATH'],
    ['NUL in a path', { groupBy: ['properties.a\u0000b'] }, 'INVALID_FIELD_PATH'],
    ['NUL in a name', { event: 'Fli\u0000ght' }, 'INVALID_EVENT_NAME'],
    ['a value that is no JSON', { filters: [{ property: 'event', op: 'eq', valueJson: 'x' }] }, 'INVALID_FILTER_VALUE'],
    ['an unknown aggregation', { metric: { agg: 'median', property: '' } }, 'INVALID_METRIC'],
    ['a sum of nothing', { metric: { agg: 'sum', property: '' } }, 'INVALID_METRIC'],
    ['an unknown interval', { interval: '2h' }, 'INVALID_INTERVAL'],
    ['an unknown time zone', { timezone: 'Nowhere' }, 'INVALID_TIMEZONE'],
    ['too many buckets', { interval: '1m' }, 'TOO_MANY_BUCKETS'],
    ['an end before the start', { from: new Date(NOW), to: new Date(START) }, 'INVALID_TIME_RANGE'],
    ['four groups', { groupBy: ['event', 'type', 'user_id', 'message_id'] }, 'INVALID_GROUP_BY'],
    ['a top of nothing', { kind: 'top' }, 'INVALID_GROUP_BY'],
    ['a text that is no cursor', { cursor: 'eyJ4IjoxfQ' }, 'INVALID_CURSOR'],
  ])('rejects %s with a code of its own', async (_title, fields, code) => {
    await expect(run(fields)).rejects.toMatchObject({ code, kind: 'invalid' })
  })

  it.each(['properties.size', 'properties.same'])(
    'has every figure but the sum of %s, which is beyond all doubles',
    async (property) => {
      const figureOf = async (agg: string, range: Partial<RunQueryRequest> = {}) =>
        (
          await run(
            { kind: 'timeseries', event: 'Huge sum', interval: '1mo', metric: { agg, property }, ...range },
            wide,
          )
        ).data[0]?.value
      const values = await Promise.all(['sum', 'avg', 'min', 'max', 'p50'].map((agg) => figureOf(agg)))
      const near = (value: number, share: number) => ({
        asymmetricMatch: (one: unknown) => Math.abs(Number(one) / value - 1) < share,
      })
      expect(values).toEqual([null, near((6.4 / 6) * 1e308, 1e-12), -1.5e308, 1.7e308, near(1.5e308, 0.01)])
      const first = { to: new Date(START + HOUR), interval: '1h' }
      expect(await Promise.all(['sum', 'avg'].map((agg) => figureOf(agg, first)))).toEqual([
        null,
        near(1.65e308, 1e-12),
      ])
      const middle = { from: new Date(START + HOUR), to: new Date(START + 20 * HOUR) }
      expect(await Promise.all(['sum', 'avg'].map((agg) => figureOf(agg, middle)))).toEqual([0, 0])
    },
  )

  it.each([
    ['eq', '"a\\u0000b"', 1],
    ['not_in', '["UA","UA\\ud800"]', 2],
    ['prefix', '"\\udc00"', 0],
    ['gt', '"\ud83d\ude00\\ud83d"', 2],
  ])(
    'rejects a character that PostgreSQL cannot store in the value of the filter %s, with its position: %j',
    async (op, valueJson, position) => {
      const asked = run({ filters: [{ property: 'properties.carrier', op, valueJson }] })
      const details = { path: 'properties.carrier', op, position }
      await expect(asked).rejects.toMatchObject({ code: 'INVALID_FILTER_VALUE', details })
    },
  )

  it('rejects an event name that PostgreSQL cannot store, with the field and the position', async () => {
    const asked = run({ kind: 'funnel', steps: ['Search', 'Fl\0ight'].map((event) => ({ event, filters: [] })) })
    const details = { field: 'steps.1.event', position: 2 }
    await expect(asked).rejects.toMatchObject({ code: 'INVALID_EVENT_NAME', details })
  })

  it('takes only plain numbers as indexes of a list', async () => {
    const exists = (name: string) =>
      total({ filters: [{ property: `properties.deep.list.${name}`, op: 'exists', valueJson: '' }] })
    expect(await exists('0')).toBe(192)
    expect(await Promise.all(['1', '00', '+0', ' 0', 'length'].map(exists))).toEqual([0, 0, 0, 0, 0])
  })

  it('adds unflushed records, each once', async () => {
    const lateMs = START + 10 * HOUR + 5
    const tail = [0, 1, 2].map((index) => ({
      tenantId: acme,
      event: 'Flight',
      userId: 'new',
      timestampMs: lateMs + index,
      properties: { carrier: 'UA', delay: 1 },
      partition: 1,
      position: 500 + index,
    }))
    await storePartition(service.database, {
      partition: 1,
      next: 503,
      flushed: 500,
      unflushedFromMs: lateMs,
      unflushedToMs: lateMs + 2,
    })
    await storeEvents(service.database, tail)
    expect(await planOf({})).toMatchObject({ source: 'mixed', unflushed: { mode: 'read', rows: 3 } })
    expect(await total({})).toBe(195)
    expect(await total({ filters: [{ property: 'user_id', op: 'exists', valueJson: '' }] })).toBe(195)

    // Their times unknown, or too many of them: the whole answer is as of the last flush, ragged ends included.
    await storePartition(service.database, { partition: 1, next: 503, flushed: 500 })
    expect(await planOf({})).toMatchObject({ source: 'rollup', unflushed: { mode: 'left_out' } })
    expect(await total({})).toBe(192)
    expect(await total({ from: new Date(START + 10 * HOUR + 1) })).toBe(172)
    await storePartition(service.database, {
      partition: 1,
      next: 900,
      flushed: 500,
      unflushedFromMs: lateMs,
      unflushedToMs: lateMs + 2,
    })
    expect((await run({})).meta).toMatchObject({ source: 'rollup' })
    expect(await total({})).toBe(192)
  })
})
