import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { findChromium, findTestEdge, runInChromium, startTestEdge, startTestStack, waitFor } from '@millrace/testing'
import { type Client, createClient, MillraceError, type QueryAnswerMeta } from '../src/index.js'

/** For what a whole stack does in the background, on a slow machine, in ms. */
const STACK_MS = 60_000

const DIST = fileURLToPath(new URL('../dist/', import.meta.url))
const NOW = Date.now()
const minutesAgo = (minutes: number): Date => new Date(NOW - minutes * 60_000)

/** A range that ended so long ago that only late events change it, and one that ends tomorrow. */
const CLOSED = { event: 'Viewed', from: minutesAgo(120), to: minutesAgo(30) }
const OPEN = { event: 'Viewed', from: minutesAgo(120), to: minutesAgo(-1440) }

const edgeCommand = findTestEdge()
let edge: Awaited<ReturnType<typeof startTestEdge>> | undefined
let stack: Awaited<ReturnType<typeof startTestStack>>
let reader: Client
let writer: Client

describe('the client with a complete stack', () => {
  beforeAll(async () => {
    const ROLLUPS = JSON.stringify([
      { event: 'Loaded', dimensions: ['properties["page.kind"]'], property: 'properties["load.ms"]' },
    ])
    stack = await startTestStack({ env: { QUERY_EDGE_CACHE: 'true', ROLLUPS } })
    edge = edgeCommand === undefined ? undefined : await startTestEdge(edgeCommand, stack.url)
    reader = createClient({ url: `${stack.url}/`, key: stack.adminKey })
    writer = createClient({ url: stack.url, key: stack.writeKey })
  })
  afterAll(async () => {
    await edge?.stop()
    await stack?.stop()
  })

  /** A client with nothing remembered, and the answers that it was sent. */
  const noting = (url = stack.url): { query: Client['query']; responses: Response[] } => {
    const responses: Response[] = []
    const noted: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      responses.push(response)
      return response
    }
    return { responses, query: createClient({ url, key: stack.adminKey, fetch: noted }).query }
  }

  it('sends events and reports where they are', async () => {
    const sent = await writer.sendEvents(
      [
        { event: 'Viewed', userId: 'u1', timestamp: minutesAgo(50), properties: { category: 'books', ms: 10 } },
        { event: 'Viewed', userId: 'u2', timestamp: minutesAgo(49), properties: { category: 'toys', ms: 20 } },
        { event: 'Ordered', userId: 'u1', timestamp: minutesAgo(40), properties: { revenue: 12.5 } },
        { event: 'No user' },
      ],
      { wait: 'stored' },
    )
    expect(sent.accepted).toBe(3)
    expect(sent.rejected[0]).toMatchObject({ index: 3, code: 'missing_user' })
    // The list of rejections says why the last one is missing.
    const findRejection = async () => {
      for await (const rejection of reader.rejections({ code: 'missing_user', since: minutesAgo(5), limit: 1 }))
        if (rejection.event === 'No user') return true
      return false
    }
    await waitFor(findRejection, { deadlineMs: STACK_MS, what: 'the rejected event to be listed' })
    const isSettled = async () => (await writer.receipt(sent.receipt, { waitMs: 5000 })).state === 'settled'
    await waitFor(isSettled, { deadlineMs: STACK_MS, what: 'the events to be stored' })
    expect(await writer.receipt(sent.receipt)).toMatchObject({ accepted: 3, stored: 3, duplicate: 0 })
  })

  it('runs every kind of query', async () => {
    const range = { from: minutesAgo(120), to: minutesAgo(0) }
    const { query } = reader
    const series = await query.timeseries({ ...range, event: 'Viewed', interval: '1mo' })
    expect(series.data.reduce((sum, { value }) => sum + (value ?? 0), 0)).toBe(2)
    expect(['rollup', 'raw', 'mixed']).toContain(series.meta.source)
    const top = await query.top({ ...range, event: 'Viewed', group_by: ['properties.category'], limit: 1 })
    expect(top.data).toEqual([{ group: { 'properties.category': 'books' }, value: 1 }])
    const filters = [{ property: 'properties.category', op: 'in' as const, value: ['books', 'music'] }]
    expect((await query.breakdown({ ...range, filters, group_by: ['event'] })).data).toEqual([
      { group: { event: 'Viewed' }, value: 1 },
    ])
    expect((await query.uniques(range)).data).toEqual([{ value: 2 }])
    const metric = { agg: 'p95', property: 'properties.ms' } as const
    expect((await query.percentiles({ ...range, metric })).data[0]?.values.count).toBe(2)
    const funnel = await query.funnel({ ...range, steps: ['Viewed', { event: 'Ordered' }], window: '1h' })
    expect(funnel.data.map(({ step, value }) => [step, value])).toEqual([
      [0, 2],
      [1, 1],
    ])
    expect(funnel.summary?.conversion_rate).toBe(0.5)
    expect((await query.retention({ ...range, interval: '1d' })).data[0]?.period).toBe(0)
    expect((await query.sessions(range)).summary?.sessions).toBe(2)
    expect((await query.stickiness({ ...range, interval: '1mo' })).summary?.users).toBe(2)
    expect((await query.logins(range)).data).toHaveLength(1)
    expect((await query.daily({})).next_cursor).toBeNull()
  })

  it('sends long queries in a body and gets the same answer', async () => {
    const value = ['books', ...Array.from({ length: 300 }, (_, i) => `category ${i}`)]
    const filters = [{ property: 'properties.category', op: 'in' as const, value }]
    expect((await reader.query.uniques({ filters })).data).toEqual([{ value: 1 }])
  })

  it('receives 304 instead of an unchanged answer', async () => {
    const { query, responses } = noting()
    const request = { event: 'Viewed', from: minutesAgo(120), to: minutesAgo(0), interval: '1mo' } as const
    const [first, second] = [await query.timeseries(request), await query.timeseries(request)]
    expect(responses.map(({ status }) => status)).toEqual([200, 304])
    expect(second.data).toEqual(first.data)
  })

  const behindEdge = edgeCommand === undefined ? it.skip : it
  const timeOf = ({ watermark }: QueryAnswerMeta): number => (watermark === null ? 0 : Date.parse(watermark))
  const expectFreshMetaOf304 = async (url: string): Promise<void> => {
    const { query, responses } = noting(url)
    const first = await query.uniques(OPEN)
    const receivedAtMs = performance.now()
    await waitFor(
      async () => {
        const { data, meta } = await query.uniques(OPEN)
        expect([responses.at(-1)?.status, data]).toEqual([304, first.data])
        return timeOf(meta) > timeOf(first.meta) && meta.age_ms < performance.now() - receivedAtMs
      },
      { deadlineMs: STACK_MS },
    )
  }
  it('reports current freshness after 304', () => expectFreshMetaOf304(stack.url))
  behindEdge('reports current freshness after 304 behind a caching proxy too', () =>
    expectFreshMetaOf304(edge?.origin ?? ''),
  )

  behindEdge('adds the time that an answer spent in a caching proxy to its age', async () => {
    await waitFor(
      async () => {
        const { query, responses } = noting(edge?.origin)
        const { meta } = await query.uniques(CLOSED)
        const [headers] = responses.map((response) => response.headers)
        const sentWithMs = Number(/age_ms=(\d+)/.exec(headers?.get('millrace-meta') ?? '')?.[1])
        return headers?.get('x-cache') === 'HIT' && meta.age_ms >= sentWithMs + 1000
      },
      { deadlineMs: STACK_MS },
    )
  })

  it('iterates over stored events of all users and of one user', async () => {
    const names: string[] = []
    for await (const { event } of reader.events({ limit: 1 })) names.push(event)
    expect(names).toEqual(['Ordered', 'Viewed', 'Viewed'])
    const pages: number[] = []
    for await (const { data } of reader.timeline('u1', { limit: 1 }).pages()) pages.push(data.length)
    expect(pages.filter((length) => length > 0)).toEqual([1, 1])
  })

  it('iterates over sessions and activities and reports the number of active sessions', async () => {
    const properties = { session_id: 'visit-1' }
    const bought = { action: 'bought', entity_type: 'book', entity_id: 'b1', metadata: { price: 12.5 } }
    const ofUser = { userId: 'u4', context: { ip: '192.0.2.7' } }
    const sent = await writer.sendEvents([
      { ...ofUser, event: '$session_start', timestamp: minutesAgo(3), properties: { session_id: 'visit-0' } },
      { ...ofUser, event: '$session_end', timestamp: minutesAgo(2), properties: { session_id: 'visit-0' } },
      { ...ofUser, event: '$session_start', timestamp: minutesAgo(1), properties },
      { ...ofUser, event: '$activity', timestamp: minutesAgo(0.5), properties: { ...properties, ...bought } },
    ])
    const isSettled = async () => (await writer.receipt(sent.receipt, { waitMs: 5000 })).state === 'settled'
    await waitFor(isSettled, { deadlineMs: STACK_MS, what: 'the session to be stored' })
    const [first, second, none] = await arrayOf(reader.userSessions('u4', { limit: 1 }).pages())
    expect(first).toMatchObject({
      data: [{ session_id: 'visit-1', is_active: true, last_seen_at: minutesAgo(0.5).toISOString(), ip: '192.0.2.7' }],
      summary: { active_sessions: 1 },
      meta: { source: 'raw', age_ms: 0 },
    })
    expect(second).toMatchObject({ data: [{ session_id: 'visit-0', is_active: false, end_reason: 'ended' }] })
    expect([second?.summary, none]).toEqual([undefined, undefined])
    const active = await arrayOf(reader.sessions({ active: true, from: minutesAgo(10) }))
    expect(active.map(({ session_id }) => session_id)).toEqual(['visit-1'])
    const activities = await arrayOf(reader.activities({ entity_type: 'book', entity_id: 'b1', user_id: 'u4' }))
    expect(activities).toMatchObject([{ ...bought, user_id: 'u4', timestamp: minutesAgo(0.5).toISOString() }])
    const broken = arrayOf(reader.sessions({ cursor: first?.next_cursor ?? '' }))
    await expect(broken).rejects.toMatchObject({ code: 'INVALID_CURSOR', status: 400 })
  })

  it('iterates over the pages of a query', async () => {
    const groups: unknown[] = []
    const query = { event: 'Viewed', group_by: ['properties.category'], limit: 1 }
    for await (const { group } of reader.queryPages('breakdown', query)) groups.push(group)
    expect(groups).toEqual([{ 'properties.category': 'books' }, { 'properties.category': 'toys' }])
  })

  it('receives an answer from rollups about properties whose names have dots', async () => {
    const loads = [
      ['shop', 10],
      ['shop', 30],
      ['blog', 5],
      [undefined, 7],
    ] as const
    const sent = await writer.sendEvents(
      loads.map(([kind, ms]) => ({
        event: 'Loaded',
        userId: 'u5',
        timestamp: minutesAgo(45),
        // The nested value is another property and must not be taken for the one whose name has a dot.
        properties: { 'page.kind': kind, 'load.ms': ms, page: { kind: 'nested' } },
      })),
    )
    const isSettled = async () => (await writer.receipt(sent.receipt, { waitMs: 5000 })).state === 'settled'
    await waitFor(isSettled, { deadlineMs: STACK_MS, what: 'the events to be stored' })
    const fullMinute = (minutes: number) => new Date(Math.floor(NOW / 60_000 - minutes) * 60_000)
    const request = {
      ...{ event: 'Loaded', from: fullMinute(120), to: fullMinute(30) },
      group_by: ['properties["page.kind"]'],
      metric: { agg: 'sum', property: 'properties["load.ms"]' } as const,
    }
    await waitFor(async () => (await noting().query.breakdown(request)).meta.source === 'rollup', {
      deadlineMs: STACK_MS,
      what: 'an answer from rollups alone',
    })
    const { data } = await reader.query.breakdown(request)
    expect(data).toEqual([
      { group: {}, value: 7, values: { count: 1 } },
      { group: { 'properties["page.kind"]': 'blog' }, value: 5, values: { count: 1 } },
      { group: { 'properties["page.kind"]': 'shop' }, value: 40, values: { count: 2 } },
    ])
  })

  it('rejects an invalid query and a missing scope with the code of the server', async () => {
    const wrong = reader.query.timeseries({ event: 'Viewed', timezone: 'Nowhere' })
    await expect(wrong).rejects.toMatchObject({ name: 'MillraceError', code: 'INVALID_TIMEZONE', status: 400 })
    await expect(writer.query.uniques({})).rejects.toMatchObject({ code: 'SCOPE_MISSING', status: 403 })
    await expect(writer.query.uniques({})).rejects.toBeInstanceOf(MillraceError)
  })

  it('receives live counts while events are sent', async () => {
    const controller = new AbortController()
    const sending = sendUntil(controller.signal)
    sending.catch((error: unknown) => controller.abort(error))
    for await (const { events } of reader.live({ signal: controller.signal })) if (events > 0) break
    controller.abort()
    expect(await sending).toBeGreaterThan(0)
  })

  it('receives the end of a live stream when its key is revoked', async () => {
    const ask = async (method: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${stack.adminKey}`, 'content-type': 'application/json' }
      const init = { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }
      const text = await (await fetch(`${stack.url}${path}`, init)).text()
      return (text === '' ? {} : JSON.parse(text)) as { id: string; key: string }
    }
    const { id, key } = await ask('POST', '/api/v1/keys', { name: 'live', scopes: ['read'] })
    const { url } = await createClient({ url: stack.url, key }).liveTicket()
    const response = await fetch(url)
    await ask('DELETE', `/api/v1/keys/${id}`)
    // Otherwise the stream would never end.
    expect(await response.text()).toMatch(/event: problem\ndata: \{.*KEY_INVALID.*\}\n\n$/)
    expect((await fetch(url)).status).toBe(403)
  })

  const chromium = findChromium()
  const itInChromium = chromium === undefined ? it.skip : it
  itInChromium('works in a page of Chromium from another origin as it does in Node', async () => {
    const isClosed = async () => {
      const { query, responses } = noting()
      await query.uniques(CLOSED)
      return responses[0]?.headers.get('cache-control')?.includes('max-age=60') === true
    }
    await waitFor(isClosed, { deadlineMs: STACK_MS })
    const said = await runInChromium(chromium ?? '', {
      script: pageScript({ url: stack.url, key: stack.adminKey }),
      folders: { client: DIST },
    })
    expect(said).toEqual({
      accepted: 2,
      state: 'settled',
      counts: [2, 2],
      isAsOld: true,
      events: ['In page', 'In page'],
      refused: { code: 'INVALID_TIMEZONE', status: 400 },
      aborted: 'AbortError',
      isAlive: true,
      isTicketAlive: true,
      isClosed: true,
    })
  })
})

/** Sends, asks twice (the second answer is a 304 with its ETag), asks what the browser has kept, lists, is refused, gives up, and watches until something comes. */
function pageScript(options: { readonly url: string; readonly key: string }): string {
  return `
import { createClient } from '/client/index.js'
const options = ${JSON.stringify(options)}
const client = createClient(options)
const event = { event: 'In page', userId: 'page', timestamp: new Date(${NOW} - 600_000) }
const sent = await client.sendEvents([event, event], { wait: 'stored' })
let state = 'in_flight'
while (state !== 'settled') state = (await client.receipt(sent.receipt, { waitMs: 5000 })).state
const request = { event: 'In page', from: new Date(${NOW} - 7_200_000), to: new Date(${NOW}), interval: '1mo' }
const sum = ({ data }) => data.reduce((total, { value }) => total + value, 0)
const counts = [sum(await client.query.timeseries({ ...request, fresh: true })), sum(await client.query.timeseries(request))]
await client.query.timeseries(request)
// What the browser's cache has may be a minute old, and tells nobody; a second client is what a reloaded page has.
let address
const noting = { ...options, fetch: (input, init) => fetch((address = input), init) }
const closed = { event: 'Viewed', from: new Date(${CLOSED.from.getTime()}), to: new Date(${CLOSED.to.getTime()}) }
const kept = await createClient(noting).query.uniques(closed)
let ageMs
do {
  const direct = await fetch(address, { cache: 'no-store', headers: { authorization: 'Bearer ' + options.key } })
  ageMs = Number(/age_ms=(\\d+)/.exec(direct.headers.get('millrace-meta'))[1])
} while (ageMs <= kept.meta.age_ms)
const isAsOld = (await createClient(noting).query.uniques(closed)).meta.age_ms >= ageMs
const events = []
for await (const { event } of client.timeline('page', { limit: 1 })) events.push(event)
const refused = await client.query.uniques({ timezone: 'Nowhere' }).catch(({ code, status }) => ({ code, status }))
const aborted = await client.query.uniques({}, { signal: AbortSignal.abort() }).catch(({ name }) => name)
const watching = new AbortController()
const sending = (async () => {
  while (!watching.signal.aborted) await client.sendEvents([{ event: 'Seen in page', userId: 'page' }], { wait: 'stored' })
})()
let isAlive = false
for await (const { events: count } of client.live({ signal: watching.signal })) {
  isAlive = count > 0
  if (isAlive) break
}
const { url } = await client.liveTicket()
const source = new EventSource(url)
const isTicketAlive = await new Promise((resolve) => {
  source.addEventListener('counts', ({ data }) => JSON.parse(data).events > 0 && resolve(true))
  source.addEventListener('error', () => source.readyState === EventSource.CLOSED && resolve(false))
})
source.close()
// A browser closes an EventSource for good when its ticket is refused.
const refusedSource = new EventSource(url.slice(0, -1))
const isClosed = await new Promise((resolve) => {
  refusedSource.addEventListener('error', () => resolve(refusedSource.readyState === EventSource.CLOSED))
})
watching.abort()
await sending
await report({ accepted: sent.accepted, state, counts, isAsOld, events, refused, aborted, isAlive, isTicketAlive, isClosed })`
}

async function arrayOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** Whoever begins to watch sees only what comes afterwards, so it has to come again and again. */
async function sendUntil(signal: AbortSignal): Promise<number> {
  let sent = 0
  while (!signal.aborted) {
    sent += (await writer.sendEvents([{ event: 'Seen', userId: 'u3' }], { wait: 'stored' })).accepted
  }
  return sent
}
