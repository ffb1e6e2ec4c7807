import { once } from 'node:events'
import { createConnection } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { coreErrors, defineErrors } from '@millrace/contracts'
import { createLogger, currentContext, type RootLogger } from '@millrace/logger'
import { createHttpMetrics, createMetrics, type Metrics, noopTracer } from '@millrace/telemetry'
import { waitFor } from '@millrace/testing'
import type { Express } from 'express'
import { createHttpApp, type HttpAppConfig } from '../src/http/create-http-app.js'
import { startHttpServer } from '../src/http/start-http-server.js'

const errors = defineErrors({ TABLE_BROKEN: ['internal', 'relation "events" is gone'] })

let logger: RootLogger
let log: string
let metrics: Metrics
let base: string
let stop: () => void | Promise<void>

async function listen(routes: (app: Express) => void, config: HttpAppConfig = {}): Promise<void> {
  const app = await createHttpApp(config, { logger, metrics: createHttpMetrics(metrics), tracer: noopTracer, routes })
  const [server, stopServer] = await startHttpServer({ handler: app, port: 0, drainTimeoutMs: 60_000 })
  base = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  stop = stopServer
}

beforeEach(() => {
  log = ''
  metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
  logger = createLogger({
    service: 'test',
    level: 'info',
    write: (lines) => {
      log += lines
    },
  })
})

afterEach(async () => {
  await stop()
  logger.close()
})

const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
  fetch(base + path, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } })

describe('an HTTP app', () => {
  it('runs handlers inside the accepted trace and request ids, and returns them', async () => {
    await listen((app) => app.get('/ids', async (_req, res) => void res.json(await Promise.resolve(currentContext()))))
    const answer = await fetch(`${base}/ids`, {
      headers: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', 'x-request-id': 'req-1' },
    })
    expect(await answer.json()).toMatchObject({ traceId: '0af7651916cd43dd8448eb211c80319c', requestId: 'req-1' })
    expect(answer.headers.get('x-request-id')).toBe('req-1')
    expect(answer.headers.get('x-trace-id')).toBe('0af7651916cd43dd8448eb211c80319c')
  })

  it('creates new ids in place of missing or malformed ones', async () => {
    await listen((app) => app.get('/ids', (_req, res) => void res.json(currentContext())))
    const answer = await fetch(`${base}/ids`, { headers: { traceparent: 'junk', 'x-request-id': '<script>' } })
    expect(await answer.json()).toMatchObject({
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      requestId: expect.stringMatching(/^[0-9a-f]{32}$/),
    })
  })

  it('responds to errors with problem documents and stable codes, whether handlers throw or reject', async () => {
    await listen((app) => {
      app.get('/limit', () => {
        throw coreErrors.EXHAUSTED({ retryAfterSeconds: 2.1 })
      })
      app.get('/broken', async () => {
        throw errors.TABLE_BROKEN()
      })
    })
    const limited = await fetch(`${base}/limit`)
    expect(limited.status).toBe(429)
    expect(limited.headers.get('retry-after')).toBe('3')
    expect(limited.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    const broken = await fetch(`${base}/broken`)
    const body = (await broken.json()) as Record<string, unknown>
    expect(broken.status).toBe(500)
    expect(body).toMatchObject({ code: 'TABLE_BROKEN', request_id: broken.headers.get('x-request-id') })
    expect(JSON.stringify(body)).not.toContain('relation')
    logger.flush()
    expect(log).toContain('relation')
    expect(log).not.toContain('EXHAUSTED')
  })

  it('responds to unknown paths with a problem document', async () => {
    await listen(() => undefined)
    const answer = await fetch(`${base}/nothing/here`)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ code: 'ROUTE_NOT_FOUND' })
  })

  it.each([
    ['PUT', '/items/5', 'GET, DELETE, HEAD, OPTIONS'],
    ['POST', '/items/5/', 'GET, DELETE, HEAD, OPTIONS'],
    ['GET', '/items', 'POST, OPTIONS'],
    ['HEAD', '/items', 'POST, OPTIONS'],
    ['PATCH', '/items', 'POST, OPTIONS'],
  ])('answers %s %s with 405 and the methods of the path, whatever its body', async (method, path, allow) => {
    await listen((app) => {
      app.get('/items/:id', (_req, res) => void res.json({}))
      app.delete('/items/:id', (_req, res) => void res.json({}))
      app.post('/items', (_req, res) => void res.json({}))
    })
    const answer = await fetch(base + path, {
      method,
      headers: { 'content-type': 'application/json' },
      ...(method === 'GET' || method === 'HEAD' ? {} : { body: '{' }),
    })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow])
    if (method !== 'HEAD') expect(await answer.json()).toMatchObject({ code: 'METHOD_NOT_ALLOWED' })
  })

  it('answers OPTIONS for a known path with its methods, and HEAD wherever there is GET', async () => {
    await listen((app) => app.get('/items/:id', (_req, res) => void res.json({ a: 1 })))
    const options = await fetch(`${base}/items/5`, { method: 'OPTIONS' })
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS'])
    const head = await fetch(`${base}/items/5`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    expect((await fetch(`${base}/nothing`, { method: 'OPTIONS' })).status).toBe(404)
  })

  it('writes no key that a path contains to the response or the log', async () => {
    await listen(() => undefined)
    const answer = await fetch(`${base}/v1/projects/mr_write_secret/other`)
    logger.flush()
    for (const text of [await answer.text(), log]) expect(text).not.toContain('secret')
  })

  it.each([
    ['malformed JSON, with its position', '{"a": x}', {}, 400, 'MALFORMED_BODY'],
    ['a body over the limit', JSON.stringify('x'.repeat(200)), {}, 413, 'BODY_TOO_LARGE'],
    [
      'a body that exceeds the limit after decompression',
      gzipSync(JSON.stringify('x'.repeat(100_000))),
      { 'content-encoding': 'gzip' },
      413,
      'BODY_TOO_LARGE',
    ],
    ['an unknown encoding', '{}', { 'content-encoding': 'zstd' }, 415, 'UNSUPPORTED_ENCODING'],
  ])('refuses %s', async (_what, body, headers, status, code) => {
    await listen((app) => app.post('/', (_req, res) => void res.json({})), { bodyBytesMax: 100 })
    const answer = await post('/', body, headers as Record<string, string>)
    expect(answer.status).toBe(status)
    expect(await answer.json()).toMatchObject({ code })
  })

  it('measures requests by route, never by raw path', async () => {
    await listen((app) => app.get('/users/:id', (_req, res) => void res.json({})))
    for (const path of ['/users/1', '/users/2', '/.env', '/wp-admin']) await (await fetch(base + path)).text()
    const text = () => metrics.expose()
    await waitFor(async () => /route="\/users\/:id",status="200",service="test"\} 2/.test(await text()))
    await waitFor(async () => /route="unmatched",status="404",service="test"\} 2/.test(await text()))
    expect(await text()).not.toMatch(/wp-admin|users\/1/)
  })

  it('sends security headers and does not name the software', async () => {
    await listen((app) => app.get('/', (_req, res) => void res.json({})))
    const { headers } = await fetch(base)
    expect(headers.get('x-powered-by')).toBeNull()
    expect(headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('strict-transport-security')).toContain('max-age=')
  })

  it('responds with 503 and Retry-After when a handler does not begin its response in time', async () => {
    await listen((app) => app.get('/slow', () => undefined), { handlerTimeoutMs: 20 })
    const answer = await fetch(`${base}/slow`)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(await answer.json()).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
  })
})

describe('a stopping HTTP server', () => {
  it('lets requests in progress finish, refuses new connections, and does not wait for idle ones', async () => {
    let finish: (() => void) | undefined
    await listen((app) =>
      app.get('/work', (_req, res) => {
        finish = () => void res.json('done')
      }),
    )
    const port = Number(new URL(base).port)
    const idle = createConnection(port, '127.0.0.1')
    await waitFor(() => idle.readyState === 'open')
    const running = fetch(`${base}/work`)
    await waitFor(() => finish !== undefined)
    const cut = once(idle, 'close')
    const stopped = stop()
    await expect(fetch(base)).rejects.toThrow()
    finish?.()
    expect(await (await running).json()).toBe('done')
    await cut
    await stopped
  })
})
