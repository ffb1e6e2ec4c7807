import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startTestStack, waitFor } from '@millrace/testing'
import { type Client, createClient, MillraceError } from '../src/index.js'
import { findChromium, runInChromium } from './chromium.js'

const NOW = Date.now()
const minutesAgo = (minutes: number): Date => new Date(NOW - minutes * 60_000)

let stack: Awaited<ReturnType<typeof startTestStack>>
let reader: Client
let writer: Client

describe('the client, against a whole stack', () => {
  beforeAll(async () => {
    stack = await startTestStack()
    reader = createClient({ url: `${stack.url}/`, key: stack.adminKey })
    writer = createClient({ url: stack.url, key: stack.writeKey })
  }, 120_000)
  afterAll(() => stack?.stop())

  it('sends events and knows where they are', async () => {
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
    const isSettled = async () => (await writer.receipt(sent.receipt, { waitMs: 5000 })).state === 'settled'
    await waitFor(isSettled, { deadlineMs: 60_000, what: 'the events to be stored' })
    expect(await writer.receipt(sent.receipt)).toMatchObject({ accepted: 3, stored: 3, duplicate: 0 })
  })

  it('asks every kind of query', async () => {
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
    expect((await query.logins(range)).data).toHaveLength(1)
    expect((await query.daily({})).next_cursor).toBeNull()
  })

  it('asks long questions in a body, and has the same answer', async () => {
    const value = ['books', ...Array.from({ length: 300 }, (_, i) => `category ${i}`)]
    const filters = [{ property: 'properties.category', op: 'in' as const, value }]
    expect((await reader.query.uniques({ filters })).data).toEqual([{ value: 1 }])
  })

  it('is not sent an answer again that has not changed', async () => {
    const statuses: number[] = []
    const noting: typeof fetch = async (input, init) => {
      const response = await fetch(input, init)
      statuses.push(response.status)
      return response
    }
    const { query } = createClient({ url: stack.url, key: stack.adminKey, fetch: noting })
    const asked = { event: 'Viewed', from: minutesAgo(120), to: minutesAgo(0), interval: '1mo' } as const
    const [first, second] = [await query.timeseries(asked), await query.timeseries(asked)]
    expect(statuses).toEqual([200, 304])
    expect(second.data).toEqual(first.data)
  })

  it('walks through stored events, of all and of one user', async () => {
    const names: string[] = []
    for await (const { event } of reader.events({ limit: 1 })) names.push(event)
    expect(names).toEqual(['Ordered', 'Viewed', 'Viewed'])
    const pages: number[] = []
    for await (const { data } of reader.timeline('u1', { limit: 1 }).pages()) pages.push(data.length)
    expect(pages.filter((length) => length > 0)).toEqual([1, 1])
  })

  it('walks through the pages of a query', async () => {
    const groups: unknown[] = []
    const query = { event: 'Viewed', group_by: ['properties.category'], limit: 1 }
    for await (const { group } of reader.queryPages('breakdown', query)) groups.push(group)
    expect(groups).toEqual([{ 'properties.category': 'books' }, { 'properties.category': 'toys' }])
  })

  it('says what is wrong with a question, and with a key', async () => {
    const wrong = reader.query.timeseries({ event: 'Viewed', timezone: 'Nowhere' })
    await expect(wrong).rejects.toMatchObject({ name: 'MillraceError', code: 'INVALID_TIMEZONE', status: 400 })
    await expect(writer.query.uniques({})).rejects.toMatchObject({ code: 'SCOPE_MISSING', status: 403 })
    await expect(writer.query.uniques({})).rejects.toBeInstanceOf(MillraceError)
  })

  it('watches counts as they come in', async () => {
    const controller = new AbortController()
    const sending = sendUntil(controller.signal)
    sending.catch((error: unknown) => controller.abort(error))
    for await (const { events } of reader.live({ signal: controller.signal })) if (events > 0) break
    controller.abort()
    expect(await sending).toBeGreaterThan(0)
  })

  const chromium = findChromium()
  if (chromium === undefined)
    console.warn(
      'NOT TESTED: the client in a real browser, because no Chromium is on PATH (Debian: apt-get install chromium)',
    )
  const itInChromium = chromium === undefined ? it.skip : it
  itInChromium('does in a page of Chromium, from another origin, what it does in Node', async () => {
    const said = await runInChromium(chromium ?? '', pageScript({ url: stack.url, key: stack.adminKey }))
    expect(said).toEqual({
      accepted: 2,
      state: 'settled',
      counts: [2, 2],
      events: ['In page', 'In page'],
      refused: { code: 'INVALID_TIMEZONE', status: 400 },
      aborted: 'AbortError',
      isAlive: true,
    })
  })
})

/** Sends, asks twice (the second answer is a 304 with its ETag), lists, is refused, gives up, and watches until something comes. */
function pageScript(options: { readonly url: string; readonly key: string }): string {
  return `
import { createClient } from '/client/index.js'
const client = createClient(${JSON.stringify(options)})
const event = { event: 'In page', userId: 'page', timestamp: new Date(${NOW} - 600_000) }
const sent = await client.sendEvents([event, event], { wait: 'stored' })
let state = 'in_flight'
while (state !== 'settled') state = (await client.receipt(sent.receipt, { waitMs: 5000 })).state
const asked = { event: 'In page', from: new Date(${NOW} - 7_200_000), to: new Date(${NOW}), interval: '1mo' }
const sum = ({ data }) => data.reduce((total, { value }) => total + value, 0)
const counts = [sum(await client.query.timeseries({ ...asked, fresh: true })), sum(await client.query.timeseries(asked))]
await client.query.timeseries(asked)
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
watching.abort()
await sending
await report({ accepted: sent.accepted, state, counts, events, refused, aborted, isAlive })`
}

/** Whoever begins to watch sees only what comes afterwards, so it has to come again and again. */
async function sendUntil(signal: AbortSignal): Promise<number> {
  let sent = 0
  while (!signal.aborted) {
    sent += (await writer.sendEvents([{ event: 'Seen', userId: 'u3' }], { wait: 'stored' })).accepted
  }
  return sent
}
