import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { PAGE_BYTES_MAX } from '@millrace/pagination'
import { createMetrics } from '@millrace/telemetry'
import { type EventRow, windowStatement } from '../src/lists/events-statements.js'
import { QueryMetrics } from '../src/metrics.js'
import { userHash } from '../src/query/user-hash.js'
import { createSnapshot } from '../src/reads/snapshot.js'
import { createListEvents } from '../src/rpc/list-events.js'
import { storeEvents, type TestEvent } from './generated-data.js'
import {
  createTenant,
  forgeCursor,
  listOf,
  type ServiceUnderTest,
  startServiceUnderTest,
} from './service-under-test.js'

const NOW = Date.UTC(2026, 10, 20, 12)
const MINUTE = 60_000
const DAY = 86_400_000
const filter = (property: string, op: string, value: unknown) => ({ property, op, valueJson: JSON.stringify(value) })

describe('the list of events', () => {
  let service: ServiceUnderTest
  let acme: number
  let other: number
  let events: TestEvent[]

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => NOW })
    acme = await createTenant(service.database, 'acme')
    other = await createTenant(service.database, 'other')
    // Dense in the last hour, sparse for a month, some at the same instant, some ahead of now.
    events = Array.from({ length: 900 }, (_, index) => ({
      tenantId: index % 9 === 0 ? other : acme,
      event: index % 100 === 0 ? 'Rare' : 'Seen',
      userId: index % 5 === 0 ? null : `user-${index % 7}`,
      anonymousId: `anonymous-${index % 3}`,
      timestampMs:
        index < 600
          ? NOW - (index % 60) * MINUTE
          : index < 880
            ? NOW - (index - 600) * 2 * 3_600_000 - 1
            : NOW + (index - 880) * 3_600_000,
      properties: { index, name: 'Ünïcode "quoted"' },
      partition: index % 4,
      position: Math.floor(index / 4),
    }))
    await storeEvents(service.database, events)
  })
  afterAll(() => service.close())

  const list = (fields: Parameters<typeof listOf>[0], tenantId = acme) =>
    service.calls.listEvents(listOf(fields), { tenant: String(tenantId) })
  const parse = (texts: readonly string[]) => texts.map((text) => JSON.parse(text) as Record<string, unknown>)
  const order = (a: TestEvent, b: TestEvent) =>
    b.timestampMs - a.timestampMs || b.partition - a.partition || b.position - a.position
  const idsOf = (some: readonly TestEvent[]) => some.map(({ partition, position }) => `m-${partition}-${position}`)

  async function walk(
    fields: Parameters<typeof listOf>[0],
    between?: (page: number) => Promise<void>,
  ): Promise<string[]> {
    const ids: string[] = []
    let cursor = ''
    for (let page = 0; page === 0 || cursor !== ''; page++) {
      const answer = await list({ ...fields, cursor })
      ids.push(...parse(answer.eventsJson).map((event) => String(event.message_id)))
      cursor = answer.nextCursor
      await between?.(page)
    }
    return ids
  }

  it('returns a short page with a cursor after 5 s, and no event is missed', async () => {
    let clock = 0
    const snapshot = createSnapshot({ database: service.database })
    const metrics = new QueryMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
    const handle = createListEvents({ snapshot, metrics, now: () => NOW, monotonicMs: () => (clock += 225) })
    const ids: string[] = []
    let [pages, cursor] = [0, '']
    do {
      const call = { tenant: String(acme), signal: new AbortController().signal, deadline: undefined }
      const page = await handle(listOf({ event: 'Rare', limit: 100, cursor }), call)
      ids.push(...parse(page.eventsJson).map((event) => String(event.message_id)))
      cursor = page.nextCursor
      pages++
    } while (cursor !== '')
    expect(ids).toEqual(
      idsOf(events.filter(({ tenantId, event }) => tenantId === acme && event === 'Rare').sort(order)),
    )
    expect(pages).toBeGreaterThan(1)
  })

  it('returns each event in the form of the public API', async () => {
    const newest = [...events].filter(({ tenantId }) => tenantId === acme).sort(order)[0] as TestEvent
    const { eventsJson } = await list({ limit: 1 })
    expect(parse(eventsJson)).toEqual([
      {
        message_id: `m-${newest.partition}-${newest.position}`,
        type: 'track',
        event: newest.event,
        user_id: newest.userId,
        anonymous_id: newest.anonymousId,
        timestamp: new Date(newest.timestampMs).toISOString(),
        received_at: new Date(newest.timestampMs).toISOString(),
        properties: newest.properties,
        context: null,
        partition: newest.partition,
        position: newest.position,
      },
    ])
  })

  it('returns all events, newest first, without a gap or a repetition while rows are inserted', async () => {
    const before = idsOf(events.filter(({ tenantId }) => tenantId === acme).sort(order))
    let inserted = 1000
    const insert = async () => {
      const times = [NOW, NOW - 30 * MINUTE, NOW - 10 * DAY]
      await storeEvents(
        service.database,
        times.map((timestampMs) => ({
          tenantId: acme,
          event: 'New',
          userId: 'late',
          timestampMs,
          properties: null,
          partition: 0,
          position: inserted++,
        })),
      )
    }
    const seen = await walk({ limit: 37 }, insert)
    expect(new Set(seen).size).toBe(seen.length)
    const known = new Set(before)
    expect(seen.filter((id) => known.has(id))).toEqual(before)
    await service.database.query(`delete from events where event = 'New'`)
  })

  it.each<[string, Parameters<typeof listOf>[0], (event: TestEvent) => boolean]>([
    ['of one user', { userId: 'user-3' }, ({ userId }) => userId === 'user-3'],
    [
      'of one user without a user id',
      { userId: 'anonymous-1' },
      ({ userId, anonymousId }) => userId === null && anonymousId === 'anonymous-1',
    ],
    [
      'of one name and one user without a user id',
      { userId: 'anonymous-0', event: 'Rare' },
      ({ userId, anonymousId, event }) => userId === null && anonymousId === 'anonymous-0' && event === 'Rare',
    ],
    ['of one name', { event: 'Rare' }, ({ event }) => event === 'Rare'],
    ['of one message', { messageId: 'm-1-77' }, ({ partition, position }) => partition === 1 && position === 77],
    ...(
      [
        ['everybody', {}, () => true],
        ['one user', { userId: 'user-3' }, ({ userId }) => userId === 'user-3'],
        ['one name', { event: 'Rare' }, ({ event }) => event === 'Rare'],
      ] as [string, Parameters<typeof listOf>[0], (event: TestEvent) => boolean][]
    ).map(([title, fields, matches]): [string, typeof fields, typeof matches] => [
      `of ${title} with properties as wanted`,
      {
        ...fields,
        filters: [filter('properties.index', 'gte', 300), filter('properties.index', 'in', [3, 300, 310, 500, 899])],
      },
      (event) => matches(event) && [300, 310, 500, 899].includes(event.properties?.index as number),
    ]),
    ['of a property that is not there', { filters: [filter('properties.absent', 'exists', null)] }, () => false],
    [
      'from an instant until before another',
      { from: new Date(NOW - 20 * MINUTE), to: new Date(NOW - 10 * MINUTE) },
      ({ timestampMs }) => timestampMs >= NOW - 20 * MINUTE && timestampMs < NOW - 10 * MINUTE,
    ],
    ['of a user who is not there', { userId: 'nobody' }, () => false],
    ['before the first day', { to: new Date(NOW - 400 * DAY) }, () => false],
  ])('%s contains exactly the matching events', async (_title, fields, matches) => {
    const expected = idsOf(events.filter((event) => event.tenantId === acme && matches(event)).sort(order))
    expect(await walk({ ...fields, limit: 50 })).toEqual(expected)
  })

  it('never shows a tenant the events of another, whatever the request', async () => {
    const theirs = events.find(({ tenantId, userId }) => tenantId === other && userId !== null) as TestEvent
    const messageId = `m-${theirs.partition}-${theirs.position}`
    expect((await list({ messageId })).eventsJson).toEqual([])
    expect((await list({ messageId }, other)).eventsJson).toHaveLength(1)
    await expect(service.calls.listEvents(listOf({}))).rejects.toMatchObject({ code: 'TENANT_MISSING' })
  })

  it('is limited to the tenant by row level security', async () => {
    const count = (tenantId: number) =>
      service.database.withTenant(
        tenantId,
        async (tx) => (await tx.query<{ n: bigint }>('select count(*) as n from events')).rows[0]?.n,
      )
    expect(await count(acme)).toBe(BigInt(events.filter(({ tenantId }) => tenantId === acme).length))
    expect(await count(other)).toBe(BigInt(events.filter(({ tenantId }) => tenantId === other).length))
  })

  it.each([`'; drop table events; --`, `user-3' or '1'='1`, '$1', '%', '\\', `user-3"`])(
    'treats %s as a value',
    async (text) => {
      for (const fields of [{ userId: text }, { event: text }, { messageId: text }])
        expect((await list(fields)).eventsJson).toEqual([])
      expect((await list({ limit: 1 })).eventsJson).toHaveLength(1)
    },
  )

  it.each<[string, Parameters<typeof listOf>[0], string]>([
    ['a limit over 1000', { limit: 1001 }, 'INVALID_LIMIT'],
    ['an end before the start', { from: new Date(NOW), to: new Date(NOW - 1) }, 'INVALID_TIME_RANGE'],
    ['a cursor that is no cursor', { cursor: 'x' }, 'INVALID_CURSOR'],
    ['an operator that is none', { filters: [filter('properties.a', 'like', 'b')] }, 'UNKNOWN_OPERATOR'],
    ['a character that no event has', { userId: 'a\u0000b' }, 'INVALID_FILTER_VALUE'],
  ])('rejects %s', async (_title, fields, code) => {
    await expect(list(fields)).rejects.toMatchObject({ code, kind: 'invalid' })
  })

  it('rejects a cursor with a forged position, and the cursor of another query', async () => {
    const { nextCursor } = await list({ limit: 1 })
    const forged = forgeCursor(nextCursor, [1, 0, '1;drop'])
    for (const fields of [{ cursor: forged }, { cursor: nextCursor, userId: 'user-1' }])
      await expect(list(fields)).rejects.toMatchObject({ code: 'INVALID_CURSOR', kind: 'invalid' })
    expect((await list({ limit: 2, cursor: nextCursor })).eventsJson).toHaveLength(2)
  })

  it('finds the events of a user by the index, without a sequential scan', async () => {
    await service.database.query('analyze events')
    const query = {
      event: null,
      userId: 'user-3',
      messageId: null,
      filters: [],
      fromMs: null,
      toMs: null,
      after: null,
      limit: 10,
    }
    const window = { fromMs: NOW - 7 * DAY, toMs: NOW + DAY }
    const plan = await service.database.withTenant(acme, async (tx) => {
      await tx.query('set local enable_seqscan = off')
      const { text, values } = windowStatement({ tenantId: acme, query, window, limit: 11, bytes: 1_000 })
      const { rows } = await tx.query<{ 'QUERY PLAN': string }>({ text: `explain ${text}`, values: values ?? [] })
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    })
    expect(plan).toMatch(/Index Scan.*user_hash/)
    expect(plan).not.toContain('Seq Scan')
  })

  describe('with large events', () => {
    let large: number
    const SMALL = 20
    /** Newest first: 300 that are stored as large as they are, 300 that get small, one larger than a page, and a few small ones. */
    beforeAll(async () => {
      large = await createTenant(service.database, 'large')
      const sizes = [
        ['external', 'x', 30_000, 300],
        ['extended', 'x', 30_000, 300],
        ['extended', 'y', PAGE_BYTES_MAX, 1],
        ['extended', 'z', 1, SMALL],
      ] as const
      let before = 0
      for (const [storage, text, length, count] of sizes) {
        await service.database.query(`alter table events alter column properties set storage ${storage}`)
        await service.database.query(
          `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, user_id, properties)
          select 100000 - n, $1, $2::timestamptz - n * interval '1 second', now(), $3, 0, 0, 'large-' || n, 'Large', 'big', jsonb_build_object('a', repeat('${text}', ${length}))
          from generate_series(${before}, ${before + count - 1}) n`,
          [userHash('big', large), new Date(NOW).toISOString(), large],
        )
        before += count
      }
    })

    it.each<[string, Parameters<typeof listOf>[0]]>([
      ['everybody', {}],
      ['one user', { userId: 'big' }],
      ['one name', { event: 'Large' }],
    ])('has pages of %s that fit into a gRPC message, and no event is missed', async (_title, fields) => {
      const ids: string[] = []
      const pages: { bytes: number; events: number }[] = []
      let cursor = ''
      do {
        const page = await list({ ...fields, limit: 1000, cursor }, large)
        pages.push({
          bytes: page.eventsJson.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
          events: page.eventsJson.length,
        })
        ids.push(...page.eventsJson.map((text) => (JSON.parse(text) as { message_id: string }).message_id))
        cursor = page.nextCursor
      } while (cursor !== '')
      expect(ids).toEqual(Array.from({ length: 601 + SMALL }, (_, n) => `large-${n}`))
      expect(pages.filter(({ bytes, events }) => bytes > PAGE_BYTES_MAX && events > 1)).toEqual([])
      expect(pages.filter(({ bytes }) => bytes > PAGE_BYTES_MAX)).toHaveLength(1)
      // Two full ones and the rest of the 18 MB, the large one, the small ones. A slow walk may end any page.
      if (fields.userId === undefined) return
      expect(pages.map(({ bytes }) => bytes > PAGE_BYTES_MAX / 2)).toEqual([true, true, false, true, false])
    })

    it.each([
      ['stored', NOW + 1],
      ['sent', NOW - 300_000 + 1],
    ])('reads little more than fits into a page, by the size as it is %s', async (_title, toMs) => {
      const query = {
        event: null,
        userId: null,
        messageId: null,
        filters: [],
        fromMs: null,
        toMs: null,
        after: null,
        limit: 100,
      }
      const request = { tenantId: large, query, window: { fromMs: NOW - DAY, toMs }, limit: 101, bytes: 100_000 }
      const { rows } = await service.database.query<EventRow>(windowStatement(request))
      const sizes = rows.map(({ properties }) => Buffer.byteLength(properties ?? ''))
      expect(sizes.slice(0, -1).reduce((sum, size) => sum + size, 0)).toBeLessThan(100_000)
      expect(rows.map(({ has_next }) => has_next)).toEqual(rows.map(() => true))
      expect(rows).toHaveLength(4)
    })
  })
})
