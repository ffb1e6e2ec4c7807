import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { MillraceError, type QueryAnswerMeta } from '../src/index.js'
import { backoff } from '../src/transport.js'
import { type FakeGateway, json, problem, startFakeGateway } from './fake-gateway.js'

const meta: QueryAnswerMeta = { source: 'raw', age_ms: 5, watermark: null, took_ms: 1 }
const answer = { data: [{ value: 2 }], next_cursor: null, meta }

let gateway: FakeGateway
beforeEach(async () => {
  gateway = await startFakeGateway()
})
afterEach(() => gateway.close())

const failureOf = async (call: Promise<unknown>): Promise<MillraceError> => {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof MillraceError) return error
  throw new Error(`expected a MillraceError, got ${String(error)}`)
}

describe('a query', () => {
  it('has the same address whatever the order of its fields, so that caches recognise it', async () => {
    gateway.reply(json(answer))
    const { query } = gateway.client
    const to = new Date('2026-11-20T00:00:00Z')
    expect(await query.top({ group_by: ['properties.a', 'event'], event: 'A & B', to, limit: 3 })).toEqual(answer)
    await query.top({ limit: 3, to, event: 'A & B', group_by: ['properties.a', 'event'], compare: undefined })
    expect(gateway.requests[1]?.url).toBe(gateway.requests[0]?.url)
    const { pathname, searchParams } = new URL(gateway.requests[0]?.url ?? '', 'http://x')
    expect(pathname).toBe('/api/v1/query/top')
    expect(Object.fromEntries(searchParams)).toEqual({
      event: 'A & B',
      group_by: '["properties.a","event"]',
      limit: '3',
      to: '2026-11-20T00:00:00.000Z',
    })
    expect(gateway.requests[0]?.headers.authorization).toBe('Bearer k')
  })

  it('is sent in a body when its address would be too long', async () => {
    gateway.reply(json(answer))
    const request = { filters: [{ property: 'properties.a', op: 'in' as const, value: Array(500).fill('long') }] }
    await gateway.client.query.uniques(request)
    expect(gateway.requests[0]).toMatchObject({ method: 'POST', url: '/api/v1/query/uniques' })
    expect(JSON.parse(gateway.requests[0]?.body ?? '')).toEqual(request)
  })

  it('sends the ETag of a remembered answer, and returns that answer on 304', async () => {
    const tagged = json(answer, { headers: { etag: 'W/"1"' } })
    // The clock of the server is another one, and wrong.
    const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
    const present =
      'source=memory, age_ms=3, watermark="1994-11-06T08:49:36.000Z", took_ms=0.1, sent_at="1994-11-06T08:49:37.500Z"'
    const unchanged = json(undefined, { status: 304, headers: { date, 'millrace-meta': present } })
    gateway.reply(tagged, unchanged, json(undefined, { status: 304 }), tagged)
    const startedAt = performance.now()
    await gateway.client.query.uniques({ event: 'A' })
    const again = await gateway.client.query.uniques({ event: 'A' })
    expect(again).toMatchObject({
      data: answer.data,
      meta: { source: 'memory', watermark: '1994-11-06T08:49:36.000Z' },
    })
    expect(again.meta.age_ms).toBeGreaterThanOrEqual(3)
    expect(again.meta.age_ms).toBeLessThanOrEqual(4 + performance.now() - startedAt)
    const untold = await gateway.client.query.uniques({ event: 'A' })
    expect(untold).toMatchObject({ data: answer.data, meta: { watermark: '1994-11-06T08:49:36.000Z' } })
    expect(untold.meta.age_ms).toBeGreaterThan(again.meta.age_ms)
    expect(gateway.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, 'W/"1"', 'W/"1"'])
    await gateway.client.query.uniques({ event: 'B' })
    expect(gateway.requests[3]?.headers['if-none-match']).toBeUndefined()
  })

  it('drops the least recently used answers from memory', async () => {
    const client = gateway.clientWith({ answersKept: 2 })
    gateway.reply(json(answer, { headers: { etag: '"1"' } }))
    for (const event of ['A', 'B', 'A', 'C', 'A', 'B']) await client.query.uniques({ event })
    expect(gateway.requests.map(({ headers }) => headers['if-none-match'] ?? '')).toEqual([
      '',
      '',
      '"1"',
      '',
      '"1"',
      '',
    ])
  })
})

describe('a failing call of the client', () => {
  it('rejects with the code, the status and the details of the server', async () => {
    gateway.reply(problem(422, 'QUERY_TOO_EXPENSIVE'))
    expect(await failureOf(gateway.client.query.uniques({}))).toMatchObject({
      name: 'MillraceError',
      message: 'because of QUERY_TOO_EXPENSIVE',
      code: 'QUERY_TOO_EXPENSIVE',
      status: 422,
      requestId: 'r1',
      details: { a: 1 },
      retryAfterMs: undefined,
    })
    expect(gateway.requests).toHaveLength(1)
  })

  it('is retried after 429 and 503, and not before Retry-After has passed', async () => {
    gateway.reply(problem(429, 'RATE_LIMITED', { 'retry-after': '4' }), problem(503, 'DOWN'), json(answer))
    expect(await gateway.client.query.uniques({})).toEqual(answer)
    expect(gateway.pauses).toEqual([4125, 500])
  })

  it('is not retried when the server says that a retry would fail', async () => {
    gateway.reply(...[429, 503].map((status) => json({ status, code: 'NEVER', retryable: false }, { status })))
    for (const status of [429, 503]) {
      expect(await failureOf(gateway.client.query.uniques({}))).toMatchObject({ status, isRetryable: false })
    }
    expect(gateway.requests).toHaveLength(2)
  })

  it('is retried three times and then rejects with the last error', async () => {
    gateway.reply(problem(503, 'DOWN', { 'retry-after': '1' }))
    expect(await failureOf(gateway.client.query.uniques({}))).toMatchObject({ code: 'DOWN', retryAfterMs: 1000 })
    expect(gateway.requests).toHaveLength(4)
  })

  it('is not retried when the pause would exceed the time limit of the call', async () => {
    gateway.reply(problem(429, 'RATE_LIMITED', { 'retry-after': '3600' }))
    expect(await failureOf(gateway.client.query.uniques({}))).toMatchObject({ status: 429, retryAfterMs: 3_600_000 })
    expect(gateway.pauses).toEqual([])
  })

  it('is retried when the connection breaks', async () => {
    gateway.reply((req) => req.socket.destroy(), json(answer))
    expect(await gateway.client.query.uniques({})).toEqual(answer)
  })

  it('rejects with NETWORK_FAILED when no server answers', async () => {
    const client = gateway.clientWith({ url: 'http://127.0.0.1:1', retries: 0 })
    expect(await failureOf(client.query.uniques({}))).toMatchObject({ code: 'NETWORK_FAILED', status: 0 })
  })

  it('ends within its time limit even when the answer never ends', async () => {
    gateway.reply((_req, res) => {
      res.writeHead(200)
      res.write('{"data"')
    })
    expect(await failureOf(gateway.client.query.uniques({}, { timeoutMs: 50 }))).toMatchObject({ code: 'TIMED_OUT' })
  })

  it('rejects with the reason of the signal when the caller aborts it', async () => {
    const controller = new AbortController()
    gateway.reply(() => controller.abort(new Error('gone')))
    await expect(gateway.client.query.uniques({}, { signal: controller.signal })).rejects.toThrow('gone')
    await expect(gateway.client.query.uniques({}, { signal: controller.signal })).rejects.toThrow('gone')
    expect(gateway.requests).toHaveLength(1)
  })

  it('rejects with INVALID_ANSWER when the answer is not JSON', async () => {
    gateway.reply((_req, res) => res.end('<html>'))
    expect(await failureOf(gateway.client.query.uniques({}))).toMatchObject({ code: 'INVALID_ANSWER' })
    gateway.reply((_req, res) => res.writeHead(502).end('<html>'))
    expect(await failureOf(gateway.client.query.uniques({}))).toMatchObject({ code: 'HTTP_502', status: 502 })
  })
})

describe('the pause between retries', () => {
  it('doubles up to ten seconds, with jitter in the upper half', () => {
    const ceilings = [0, 1, 2, 3, 4, 5, 6, 20].map((attempt) => backoff(attempt, undefined, () => 1))
    expect(ceilings).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000])
    expect(backoff(3, undefined, () => 0)).toBe(1000)
  })
})

describe('a list in pages', () => {
  const page = (ids: number[], next: string | null) => json({ data: ids.map((id) => ({ id })), next_cursor: next })

  it('is iterated page by page, and requests no page before it is needed', async () => {
    gateway.reply(page([1, 2], 'c2'), page([3], 'c3'), page([4], null))
    const ids: unknown[] = []
    for await (const event of gateway.client.timeline('a/b', { limit: 2, from: new Date(0) })) {
      ids.push((event as unknown as { id: number }).id)
      if (ids.length === 3) break
    }
    expect(ids).toEqual([1, 2, 3])
    expect(gateway.requests.map(({ url }) => url)).toEqual([
      '/api/v1/users/a%2Fb/timeline?from=1970-01-01T00%3A00%3A00.000Z&limit=2',
      '/api/v1/users/a%2Fb/timeline?cursor=c2&from=1970-01-01T00%3A00%3A00.000Z&limit=2',
    ])
  })

  it('can be iterated as pages, for events and for queries', async () => {
    gateway.reply(page([1], 'c2'), page([2], null))
    const pages: unknown[] = []
    for await (const { data } of gateway.client.events({ filters: [{ property: 'properties.a', value: 1 }] }).pages())
      pages.push(data)
    expect(pages).toEqual([[{ id: 1 }], [{ id: 2 }]])
    expect(gateway.requests[1]?.url).toBe(
      `/api/v1/events?cursor=c2&filters=${encodeURIComponent('[{"property":"properties.a","value":1}]')}`,
    )
    gateway.reply(json({ ...answer, next_cursor: 'q2' }), json(answer))
    const values: unknown[] = []
    for await (const { value } of gateway.client.queryPages('breakdown', { group_by: ['event'] })) values.push(value)
    expect(values).toEqual([2, 2])
    expect(gateway.requests[3]?.url).toBe('/api/v1/query/breakdown?cursor=q2&group_by=%5B%22event%22%5D')
  })
})

describe('sendEvents', () => {
  it('gives every event a message id before it sends them, so that a retry stores nothing twice', async () => {
    gateway.reply(problem(503, 'STREAM_UNAVAILABLE'), json({ success: true, receipt: 'r', accepted: 2, rejected: [] }))
    await gateway.client.sendEvents(
      [
        { event: 'A', userId: 'u' },
        { event: 'B', userId: 'u', messageId: 'own' },
      ],
      { wait: 'stored' },
    )
    const [first, second] = gateway.requests
    expect(first?.url).toBe('/v1/events?wait=stored')
    expect(second?.body).toBe(first?.body)
    const sent = JSON.parse(first?.body ?? '') as { messageId: string }[]
    expect(sent.map(({ messageId }) => messageId)).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), 'own'])
  })

  it('returns a receipt that tells where the events are', async () => {
    gateway.reply(json({ state: 'settled' }))
    expect(await gateway.client.receipt('r/1', { waitMs: 100 })).toEqual({ state: 'settled' })
    expect(gateway.requests[0]?.url).toBe('/v1/receipts/r%2F1?wait_ms=100')
  })
})

describe('the live stream', () => {
  const counts = (events: number) => ({ time: null, events, by_event: { é: events }, watermark: null })
  const text = (events: number) => `event: counts\ndata: ${JSON.stringify(counts(events))}\n\n`

  it('yields counts however the bytes are split, and reconnects after it ended or failed with a retryable error', async () => {
    gateway.reply(
      (_req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        const bytes = Buffer.from(`retry: 2000\r\n\r\n:\n\n${text(1)}${text(2).replaceAll('\n', '\r\n')}`)
        for (const byte of bytes) res.write(Buffer.from([byte]))
        res.end(
          `event: problem\ndata: ${JSON.stringify({ code: 'DOWN', status: 503, detail: 'd', retryable: true })}\n\n`,
        )
      },
      problem(503, 'LIVE_FULL', { 'retry-after': '10' }),
      (_req, res) => res.end(text(3)),
    )
    const seen: unknown[] = []
    for await (const one of gateway.client.live()) if (seen.push(one) === 3) break
    expect(seen).toEqual([counts(1), counts(2), counts(3)])
    expect(gateway.pauses).toEqual([250, 10_125])
  })

  it('ends with an error that is not retryable, and when its signal is aborted', async () => {
    gateway.reply(problem(403, 'SCOPE_MISSING'))
    const stream = gateway.client.live()[Symbol.asyncIterator]()
    expect((await failureOf(stream.next())).code).toBe('SCOPE_MISSING')
    const controller = new AbortController()
    gateway.reply((_req, res) => res.write(text(1)))
    const open = gateway.client.live({ signal: controller.signal })[Symbol.asyncIterator]()
    expect(await open.next()).toEqual({ done: false, value: counts(1) })
    controller.abort(new Error('gone'))
    await expect(open.next()).rejects.toThrow('gone')
  })
})

describe('calls for log lines', () => {
  it('send their conditions in the query string, and lists with commas', async () => {
    gateway.reply(json({ data: [{ id: '1-0-1' }], next_cursor: null, meta: {} }))
    const found: string[] = []
    for await (const { id } of gateway.client.logs({
      level: ['error', 'fatal'],
      q: '"a b"',
      fields: ['message'],
      highlight: true,
    }))
      found.push(id)
    await gateway.client.logContext('1-0-1', { before: 0, after: 3 })
    await gateway.client.logHistogram({ service: 'cart', interval: '5m', group_by: 'level' })
    await gateway.client.topLogValues({ field: 'http.status', from: new Date(0) })
    await gateway.client.logPatterns({ order: 'change' })
    expect(found).toEqual(['1-0-1'])
    expect(gateway.requests.map(({ url }) => decodeURIComponent(url.replaceAll('+', ' ')))).toEqual([
      '/api/v1/logs?fields=message&highlight=true&level=error,fatal&q="a b"',
      '/api/v1/logs/1-0-1/context?after=3&before=0',
      '/api/v1/logs/histogram?group_by=level&interval=5m&service=cart',
      '/api/v1/logs/top?field=http.status&from=1970-01-01T00:00:00.000Z',
      '/api/v1/logs/patterns?order=change',
    ])
  })

  it('watch lines, and continue after the last event when the connection was lost', async () => {
    const event = (id: string, message: string) =>
      `event: lines\nid: ${id}\ndata: ${JSON.stringify({ lines: [{ message }], dropped: 0, has_gap: false })}\n\n`
    gateway.reply(
      (_req, res) => res.end(event('0=1-0', 'a')),
      (_req, res) => res.end(event('0=2-0', 'b')),
    )
    const seen: string[] = []
    for await (const { lines } of gateway.client.liveLogs({ q: 'pay' })) {
      seen.push(...lines.map(({ message }) => message))
      if (seen.length === 2) break
    }
    expect(seen).toEqual(['a', 'b'])
    expect(gateway.requests.map(({ url, headers }) => [url, headers['last-event-id']])).toEqual([
      ['/api/v1/logs/live?q=pay', undefined],
      ['/api/v1/logs/live?q=pay', '0=1-0'],
    ])
  })
})
