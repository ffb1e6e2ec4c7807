import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { authErrors } from '@millrace/auth'
import type { CachePolicy, QueryMeta, RunQueryRequest } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { createHttpApp } from '@millrace/service'
import { createHttpMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { findTestEdge, startTestEdge, waitFor } from '@millrace/testing'
import type { ApiDeps } from './api-deps.js'
import { ApiRoutes } from './api-routes.js'
import { addQueryApi } from './query-api.js'

const closed: CachePolicy = {
  etag: 'one',
  maxAgeS: 3600,
  staleWhileRevalidateS: 0,
  isImmutable: false,
  surrogateKeys: ['t1', 't1:x:2026-11-01'],
}
const open: CachePolicy = { ...closed, maxAgeS: 1, staleWhileRevalidateS: 10 }

const young: QueryMeta = {
  source: 'memory',
  ageMs: 40.4,
  watermark: new Date('2026-11-21T10:00:00Z'),
  tookMs: 1.26,
  planJson: '',
  isStale: false,
  isBehind: false,
  waitedMs: 0,
}

const PATIENCE = { deadlineMs: 30_000 }

let server: Server
let origin: string
/** What analytics-query would say, and how often it was asked by whom. */
let policy: CachePolicy | undefined
let meta: QueryMeta
let value: number
let asked: string[]

async function listen(isEdgeShared: boolean): Promise<void> {
  const deps = {
    identify: async (req: IncomingMessage) => {
      const tenantId = { 'Bearer a': 1, 'Bearer b': 2 }[req.headers.authorization ?? '']
      if (tenantId === undefined) throw authErrors.KEY_INVALID()
      return { keyId: `k${tenantId}`, tenantId, tenantName: 't', scopes: ['read'], limits: {} }
    },
    analytics: {
      runQuery: async (_request: RunQueryRequest, { tenant }: { tenant: string }) => {
        asked.push(tenant)
        return {
          dataJson: Buffer.from(`[{"value":${Number(tenant) * 1000 + value}}]`),
          summaryJson: Buffer.alloc(0),
          nextCursor: '',
          meta,
          cache: policy && { ...policy, etag: `${policy.etag}-${tenant}-${value}` },
        }
      },
    },
  } as unknown as ApiDeps
  const metrics = createHttpMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
  const app = await createHttpApp(
    {},
    {
      logger: silentLogger,
      metrics,
      tracer: noopTracer,
      routes: (express) => addQueryApi(new ApiRoutes(express, deps), deps, { isEdgeShared }),
    },
  )
  server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeEach(() => {
  policy = closed
  meta = young
  value = 1
  asked = []
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

async function ask(at: string, key: string, init: { headers?: Record<string, string>; method?: string } = {}) {
  const isPost = init.method === 'POST'
  const response = await fetch(`${at}/api/v1/query/timeseries${isPost ? '' : '?event=A'}`, {
    ...init,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...init.headers },
    ...(isPost && { body: '{"event":"A"}' }),
  })
  const text = await response.text()
  const data = response.status === 200 ? (JSON.parse(text) as { data: { value: number }[] }).data[0]?.value : undefined
  return { status: response.status, header: (name: string) => response.headers.get(name), data, text }
}

describe('the caching headers of a query answer', () => {
  it.each([
    ['a closed range', closed, 'private, max-age=60'],
    ['an open range', open, 'private, max-age=1, stale-while-revalidate=10'],
    [
      'a range that nothing can change',
      { ...closed, maxAgeS: 86_400, isImmutable: true },
      'private, max-age=86400, immutable',
    ],
    ['an answer that is not to be kept', undefined, 'no-store'],
  ])('allow the browser to keep %s for the right time, and forbid it to shared caches', async (_, given, expected) => {
    await listen(false)
    policy = given
    const { header } = await ask(origin, 'a')
    expect([header('cache-control'), header('surrogate-key')]).toEqual([expected, null])
    expect(header('vary')).toBe('Authorization, Accept-Encoding')
  })

  it('allow a shared cache to keep it longer than browsers, with surrogate keys for purging', async () => {
    await listen(true)
    const { header } = await ask(origin, 'a')
    expect(header('cache-control')).toBe('public, max-age=60, s-maxage=3600')
    expect(header('surrogate-key')).toBe('key:k1 t1 t1:x:2026-11-01')
  })

  it('forbid every cache to keep an error or the answer to a POST', async () => {
    await listen(true)
    expect((await ask(origin, 'nobody')).header('cache-control')).toBe('no-store')
    const posted = await ask(origin, 'a', { method: 'POST' })
    expect([posted.status, posted.header('cache-control'), posted.header('etag')]).toEqual([200, 'no-store', null])
  })

  it('lead to an empty 304 when the client has the answer, in every form of If-None-Match', async () => {
    await listen(false)
    const etag = (await ask(origin, 'a')).header('etag') as string
    expect(etag).toBe('W/"one-1-1"')
    for (const tag of [etag, '"one-1-1"', `"other", ${etag}`, '*']) {
      const again = await ask(origin, 'a', { headers: { 'if-none-match': tag } })
      expect([again.status, again.text, again.header('etag'), again.header('cache-control')]).toEqual([
        304,
        '',
        etag,
        'private, max-age=60',
      ])
    }
    value = 2
    expect((await ask(origin, 'a', { headers: { 'if-none-match': etag } })).data).toBe(1002)
  })
})

describe('the meta of a query answer', () => {
  const said = /^source=memory, age_ms=40, watermark="2026-11-21T10:00:00.000Z", took_ms=1.3, sent_at="(.+)"$/

  it('is also a header, on answers and on 304', async () => {
    await listen(true)
    const first = await ask(origin, 'a')
    const again = await ask(origin, 'a', { headers: { 'if-none-match': first.header('etag') as string } })
    policy = undefined
    const unkept = [await ask(origin, 'a'), await ask(origin, 'a', { method: 'POST' })]
    expect([first, again, ...unkept].map(({ status }) => status)).toEqual([200, 304, 200, 200])
    for (const { header } of [first, again, ...unkept]) {
      const sentAt = said.exec(header('millrace-meta') ?? '')?.[1] ?? ''
      // The same clock, which `Date` gives in seconds.
      const afterMs = Date.parse(sentAt) - Date.parse(header('date') ?? '')
      expect(new Date(sentAt).toISOString()).toBe(sentAt)
      expect(Math.abs(afterMs)).toBeLessThan(60_000)
    }
  })

  it('has no watermark when none is known', async () => {
    await listen(false)
    meta = { ...young, watermark: undefined }
    expect((await ask(origin, 'a')).header('millrace-meta')).toMatch(/^source=memory, age_ms=40, took_ms=1.3, sent_at=/)
  })
})

const edgeCommand = findTestEdge()
const behindEdge = edgeCommand === undefined ? describe.skip : describe

behindEdge('a caching proxy in front', () => {
  let edge: Awaited<ReturnType<typeof startTestEdge>>
  beforeEach(async () => {
    await listen(true)
    edge = await startTestEdge(edgeCommand as string, origin)
  })
  afterEach(() => edge.stop())

  it('serves a closed range without the gateway, but never to another tenant or without a key', async () => {
    for (let round = 0; round < 3; round++) {
      expect((await ask(edge.origin, 'a')).data).toBe(1001)
      expect((await ask(edge.origin, 'b')).data).toBe(2001)
      expect((await ask(edge.origin, 'nobody')).status).toBe(401)
    }
    expect((await ask(edge.origin, 'b')).header('x-cache')).toBe('HIT')
    expect(asked).toEqual(['1', '2'])
  })

  it('answers 304 without the gateway to a client that has the answer', async () => {
    const { header } = await ask(edge.origin, 'a')
    const again = await ask(edge.origin, 'a', { headers: { 'if-none-match': header('etag') as string } })
    expect([again.status, again.header('x-cache')]).toEqual([304, 'HIT'])
    expect(asked).toHaveLength(1)
  })

  it('revalidates when its time is over, with current freshness if nothing changed and with a late event if one came', async () => {
    policy = { ...closed, maxAgeS: 1 }
    const { header, data } = await ask(edge.origin, 'a')
    expect(data).toBe(1001)
    meta = { ...young, watermark: new Date('2026-11-21T11:00:00Z') }
    const headers = { 'if-none-match': header('etag') as string }
    await waitFor(async () => {
      const again = await ask(edge.origin, 'a', { headers })
      expect(again.status).toBe(304)
      return again.header('millrace-meta')?.includes('watermark="2026-11-21T11:00:00.000Z"') === true
    }, PATIENCE)
    value = 2
    await waitFor(async () => (await ask(edge.origin, 'a')).data === 1002, PATIENCE)
  })

  it('sends sent_at, from which a client can compute how long the answer was cached', async () => {
    const sentAt = ({ header }: Awaited<ReturnType<typeof ask>>) =>
      /sent_at="(.+)"/.exec(header('millrace-meta') ?? '')?.[1]
    const first = await ask(edge.origin, 'a')
    await waitFor(async () => {
      const kept = await ask(edge.origin, 'a')
      expect([kept.header('x-cache'), sentAt(kept)]).toEqual(['HIT', sentAt(first)])
      return Date.parse(kept.header('date') ?? '') >= Date.parse(sentAt(first) ?? '') + 1000
    }, PATIENCE)
  })

  it('does not keep errors and answers to POST', async () => {
    policy = undefined
    for (let round = 0; round < 2; round++) expect((await ask(edge.origin, 'a')).header('x-cache')).toBe('MISS')
    policy = closed
    for (let round = 0; round < 2; round++) await ask(edge.origin, 'a', { method: 'POST' })
    expect(asked).toHaveLength(4)
  })
})
