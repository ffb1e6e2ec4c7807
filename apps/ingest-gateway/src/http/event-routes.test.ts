import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { authErrors, type KeyVerifier, type LimitDecision, type Principal } from '@millrace/auth'
import { decodeReceipt } from '@millrace/contracts'
import { createOpenApiDocument, readOperationInputs } from '@millrace/contracts/http'
import { Cors, createIntake, ResponseWriter } from '@millrace/http-intake'
import { createLogger, type RootLogger } from '@millrace/logger'
import { createSecurityHeaders } from '@millrace/service'
import { ProducedCounts, streamErrors } from '@millrace/streams'
import { createHttpMetrics, createMetrics, type Metrics, noopTracer } from '@millrace/telemetry'
import { IngestMetrics } from '../metrics.js'
import { createOnRefused } from '../rejections/note-rejections.js'
import { RejectedEvent } from '../rejections/rejected-event.js'
import type { RejectionDraft } from '../rejections/rejection-draft.js'
import { openAcceptor, type RecordingProducer } from '../testing/open-acceptor.js'
import type { Outcome } from '../wires/response-form.js'
import { createWires } from '../wires/wires.js'
import { clientMetricsRoute } from './client-metrics-route.js'
import { createEventRoutes } from './event-routes.js'
import { createReadRequestClient } from './request-client.js'

/** Largest body of Segment's wire, in bytes. */
const LIMIT = 60_000
const writer: Principal = { keyId: '1', tenantId: 7, tenantName: 't', scopes: ['write'], limits: {} }
const principals: Record<string, Principal> = { w: writer, r: { ...writer, scopes: ['read'] }, mr_write_secret: writer }
const basic = (key: string) => ({ authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` })
const good = { event: 'A', userId: 'u', messageId: 'm' }

let server: Server
let origin: string
let producer: RecordingProducer
let counts: ProducedCounts
let decision: LimitDecision
let takeTokens: () => LimitDecision | Promise<LimitDecision>
let outcome: Outcome | undefined
let isSlow: boolean
let failing: Error | undefined
let logger: RootLogger
let log: string
let metrics: Metrics
let kept: RejectionDraft[]

const check = (key: string): Principal => {
  const found = principals[key]
  if (found === undefined) throw authErrors.KEY_INVALID()
  return found
}
const verifier: Pick<KeyVerifier, 'verify' | 'verifyKey' | 'close'> = {
  verify: (header) => {
    const key =
      Buffer.from((header ?? '').split(' ')[1] ?? '', 'base64')
        .toString()
        .split(':')[0] ?? ''
    return isSlow ? Promise.resolve().then(() => check(key)) : check(key)
  },
  verifyKey: (key) => (isSlow ? Promise.resolve().then(() => check(key)) : check(key)),
  close: async () => undefined,
}

beforeEach(async () => {
  const opened = openAcceptor({ limits: { eventBytesMax: 1000 } })
  producer = opened.producer
  counts = new ProducedCounts()
  decision = { ok: true } as LimitDecision
  takeTokens = () => {
    if (failing !== undefined) throw failing
    return decision
  }
  outcome = { state: 'settled', stored: 1, duplicate: 0, dead_lettered: 0, in_flight: 0 }
  isSlow = false
  failing = undefined
  log = ''
  logger = createLogger({
    service: 'test',
    level: 'debug',
    write: (lines) => {
      log += lines
    },
  })
  kept = []
  metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
  const wires = createWires({ segmentBytesMax: LIMIT, eventsBytesMax: 2 * LIMIT })
  const ingestMetrics = new IngestMetrics(metrics)
  const rejections = { sample: () => 0, keep: (draft: RejectionDraft) => kept.push(draft) }
  const routes = createEventRoutes(wires, {
    parser: opened.parser,
    acceptor: opened.acceptor,
    producerId: producer.id,
    limiter: { take: () => takeTokens() },
    counts,
    awaitOutcome: async () => outcome,
    metrics: ingestMetrics,
    rejections,
    rejectedEvent: new RejectedEvent(opened.parser),
    readRequestClient: createReadRequestClient({ clientContext: 'browsers', trustsProxy: true, truncatesIp: false }),
    tracer: noopTracer,
  })
  const handle = createIntake([...routes, clientMetricsRoute], {
    verifier,
    responses: new ResponseWriter(new Cors({ origins: ['*'] }), await createSecurityHeaders()),
    metrics: createHttpMetrics(metrics),
    tracer: noopTracer,
    logger,
    onRefused: createOnRefused({ recorder: rejections, verifier, metrics: ingestMetrics, wires }),
  })
  server = createServer((req, res) => {
    if (!handle(req, res)) res.writeHead(404).end('express')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  logger.close()
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

async function post(path: string, body: unknown, headers: Record<string, string> = basic('w')) {
  const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
  const response = await fetch(`${origin}${path}`, { method: 'POST', body: text, headers })
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  }
}

describe('an accepted request with events', () => {
  it('gets counts and a receipt that names its frames, and is counted for the ledger', async () => {
    const { status, body } = await post('/v1/batch', { batch: [good, { ...good, userId: 'v' }, {}] })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      success: true,
      accepted: 2,
      rejected: [{ index: 2, messageId: null, code: 'missing_user' }],
    })
    const receipt = decodeReceipt(body.receipt as string)
    expect(receipt).toMatchObject({ tenantId: 7, producer: producer.id })
    expect(receipt.frames.reduce((sum, frame) => sum + frame.records, 0)).toBe(2)
    expect(counts.takeChanged()).toEqual([[7, { accepted: 3, rejected: 1, spooled: 0 }]])
  })

  it.each(['track', 'identify', 'page', 'screen', 'group', 'alias'])(
    'may be one event sent to /v1/%s',
    async (type) => {
      const { body } = await post(`/v1/${type}`, { ...good, groupId: 'g', previousId: 'p' })
      expect(body).toMatchObject({ success: true, accepted: 1, rejected: [] })
    },
  )

  it('gives its events the address and user agent of a browser, and not those of a server', async () => {
    const device = { ...basic('w'), 'x-forwarded-for': '203.0.113.9, 10.0.0.1', 'user-agent': 'Firefox' }
    await post('/v1/track', good, { ...device, origin: 'https://shop.example' })
    await post('/v1/track', good, device)
    const contexts = producer.seal().records.map(({ context }) => context)
    expect(contexts).toEqual(['{"ip":"203.0.113.9","userAgent":"Firefox"}', null])
  })

  it('may be compressed and have any content type', async () => {
    const headers = {
      ...basic('w'),
      'content-encoding': 'gzip',
      'content-type': 'application/x-www-form-urlencoded',
    }
    const { status, body } = await post('/v1/batch', gzipSync(JSON.stringify({ batch: [good] })), headers)
    expect([status, body.accepted]).toEqual([200, 1])
  })

  it('may contain its write key in the body', async () => {
    expect((await post('/v1/track', { ...good, writeKey: 'w' }, {})).status).toBe(200)
    expect((await post('/v1/batch', { batch: [good], writeKey: 'w' }, {})).status).toBe(200)
  })

  it.each([
    ['its key', basic('w'), {}],
    ['its key in the body', {}, { writeKey: 'w' }],
  ])(
    'is stored with its own events when other requests are parsed while it waits for its tokens and %s',
    async (_name, headers, fields) => {
      isSlow = true
      let grant: (made: LimitDecision) => void = () => undefined
      const tokens = new Promise<LimitDecision>((resolve) => {
        grant = resolve
      })
      let waiting = 0
      // Nobody gets tokens before every request has been parsed, so each but the last has lost the parser's buffer.
      takeTokens = () => {
        if (++waiting === 3) grant({ ok: true } as LimitDecision)
        return tokens
      }
      const send = (i: number) => post('/v1/track', { ...good, messageId: `m${i}`, ...fields }, headers)
      const answers = await Promise.all([1, 2, 3].map(send))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      const { records } = producer.seal()
      expect(records.map((record) => record.messageId).sort()).toEqual(['m1', 'm2', 'm3'])
    },
  )

  it.each(['/v1/batch', '/v1/import', '/v1/b', '/v1/import/', '/v1/b/', '//v1/batch', '/beacon/v1/batch'])(
    'may be a batch that an SDK sends as text/plain to %s with its key in the body',
    async (path) => {
      const headers = { 'content-type': 'text/plain;charset=UTF-8' }
      const { status, body } = await post(path, { batch: [good, good], sentAt: new Date(), writeKey: 'w' }, headers)
      expect([status, body.accepted]).toEqual([200, 2])
    },
  )

  it.each([
    ['t', 'A'],
    ['i', '$identify'],
    ['p', '$page'],
    ['s', '$screen'],
    ['g', '$group'],
    ['a', '$alias'],
  ])('may be one event sent to /v1/%s', async (letter, event) => {
    const { body } = await post(`/v1/${letter}`, { ...good, groupId: 'g', previousId: 'p' })
    expect(body).toMatchObject({ success: true, accepted: 1, rejected: [] })
    expect(producer.seal().records.map((record) => record.event)).toEqual([event])
  })

  it('may be a beacon of RudderStack with its key in the URL', async () => {
    const { status, body } = await post('/beacon/v1/batch?writeKey=w', { batch: [good] }, {})
    expect([status, body.accepted]).toEqual([200, 1])
    expect((await post('/beacon/v1/batch?writeKey=x', { batch: [good] }, {})).body.code).toBe('KEY_INVALID')
    expect((await post('/beacon/v1/batch', { batch: [good] }, {})).body.code).toBe('KEY_MISSING')
  })

  const json = JSON.stringify({ batch: [good], writeKey: 'w' })
  it.each([
    ['as it is', json],
    ['in the field data', `data=${encodeURIComponent(json)}`],
    ['in the field data as base64', `data=${encodeURIComponent(Buffer.from(json).toString('base64'))}`],
    ['in the field data beside its key', `writeKey=w&data=${encodeURIComponent(JSON.stringify({ batch: [good] }))}`],
    ['in place of a field name', encodeURIComponent(json)],
  ])('may have the content type of a form with the JSON %s', async (_name, body) => {
    const answer = await post('/v1/batch', body, { 'content-type': 'application/x-www-form-urlencoded' })
    expect([answer.status, answer.body.accepted]).toEqual([200, 1])
    expect(producer.seal().records).toMatchObject([{ event: 'A', userId: 'u', messageId: 'm' }])
  })

  it('may be a form with a field for each member of the event', async () => {
    const body = new URLSearchParams({ writeKey: 'w', userId: 'u', event: 'Form Sent', 'properties[size]': 'L' })
    const answer = await post('/v1/track', body.toString(), { 'content-type': 'application/x-www-form-urlencoded' })
    expect([answer.status, answer.body.accepted]).toEqual([200, 1])
    expect(producer.seal().records).toMatchObject([{ event: 'Form Sent', properties: '{"size":"L"}' }])
  })

  it('gets one verdict for each event on the native path', async () => {
    const { body } = await post('/v1/events', [good, { event: 'B' }])
    expect(body).toMatchObject({
      accepted: 1,
      events: [
        { index: 0, messageId: 'm', verdict: 'accepted' },
        { index: 1, messageId: null, verdict: 'rejected', code: 'missing_user' },
      ],
    })
  })

  it('has its rejected events kept for the list of rejections, but not when the stream refuses it', async () => {
    const mixed = { context: { library: { name: 'x' } }, batch: [good, { ...good, type: 'group', messageId: 'n' }] }
    producer.refusal = streamErrors.STREAM_FULL()
    await post('/v1/batch', mixed)
    expect(kept.map(({ code }) => code)).toEqual(['STREAM_FULL'])
    producer.refusal = undefined
    await post('/v1/batch', mixed)
    expect(kept.slice(1)).toMatchObject([
      {
        tenantId: 7,
        scope: 'event',
        wire: 'segment',
        path: '/v1/batch',
        code: 'missing_group_id',
        index: 1,
        event: { messageId: 'n', type: 'group', userId: 'u', context: '{"library":{"name":"x"}}' },
      },
    ])
  })

  it('with wait=stored gets the outcome of its records, or unknown if stream-consumer does not say', async () => {
    expect((await post('/v1/events?wait=stored', [good])).body.outcome).toEqual(outcome)
    outcome = undefined
    expect((await post('/v1/events?wait=stored', [good])).body.outcome).toBe('unknown')
    expect((await post('/v1/events', [good])).body.outcome).toBeUndefined()
  })

  it('may be NDJSON if its content type says so', async () => {
    const { body } = await post('/v1/events', `${JSON.stringify(good)}\n{`, {
      ...basic('w'),
      'content-type': 'application/x-ndjson; charset=utf-8',
    })
    expect(body).toMatchObject({ accepted: 1, rejected: [{ index: 1, code: 'malformed_json' }] })
  })
})

describe('a pixel', () => {
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`${origin}${path}`, { method })
    const image = Buffer.from(await response.arrayBuffer())
    return { status: response.status, headers: response.headers, image }
  }
  const event = { writeKey: 'w', userId: 'u', event: 'Mail Opened', properties: { subject: 'Üb+er/?>' } }
  const base64 = Buffer.from(JSON.stringify(event)).toString('base64')

  it.each([
    ['base64', `data=${encodeURIComponent(base64)}`],
    ['base64 that is not escaped', `data=${base64}`],
    ['URL-safe base64', `data=${Buffer.from(JSON.stringify(event)).toString('base64url')}`],
    ['JSON', `data=${encodeURIComponent(JSON.stringify(event))}`],
    [
      'fields with dots',
      `userId=u&event=Mail%20Opened&properties.subject=${encodeURIComponent('Üb+er/?>')}&writeKey=w`,
    ],
    [
      'properties as JSON',
      `userId=u&event=Mail+Opened&writeKey=w&properties=${encodeURIComponent(JSON.stringify(event.properties))}`,
    ],
  ])('stores the event in its URL as %s and answers with an image', async (_name, query) => {
    for (const path of ['/v1/pixel/track', '/pixel/v1/track']) {
      const { status, headers, image } = await get(`${path}?${query}`)
      expect([status, headers.get('content-type')]).toEqual([200, 'image/gif'])
      expect(headers.get('cache-control')).toBe('no-store')
      expect(image.subarray(0, 10)).toEqual(Buffer.from('GIF89a\x01\0\x01\0', 'latin1'))
    }
    const stored = { event: 'Mail Opened', userId: 'u', properties: JSON.stringify(event.properties) }
    expect(producer.seal().records).toMatchObject([stored, stored])
  })

  it.each([
    ['/v1/pixel/page', '$page'],
    ['/pixel/v1/page', '$page'],
    ['/v1/pixel/identify', '$identify'],
    ['/v1/pixel/screen', '$screen'],
    ['/v1/pixel/group', '$group'],
    ['/v1/pixel/alias', '$alias'],
  ])('at %s stores an event of its type', async (path, name) => {
    const query = 'anonymousId=%22a1%22&groupId=g&previousId=p&name=Home&traits.plan=pro&writeKey=w'
    expect((await get(`${path}?${query}`)).status).toBe(200)
    expect(producer.seal().records).toMatchObject([{ event: name, anonymousId: 'a1' }])
  })

  it.each([
    ['without a key', '/v1/pixel/track?userId=u&event=A', 401, 'KEY_MISSING'],
    ['with an unknown key', '/v1/pixel/track?writeKey=x&userId=u&event=A', 401, 'KEY_INVALID'],
    ['with a key that may only read', '/pixel/v1/track?writeKey=r&userId=u&event=A', 403, 'SCOPE_MISSING'],
    ['with data that is no JSON', '/v1/pixel/track?writeKey=w&data=%7Bx', 400, 'MALFORMED_BODY'],
  ])('%s stores nothing and is still an image, with the reason in a header', async (_name, path, status, code) => {
    const answer = await get(path)
    expect([answer.status, answer.headers.get('millrace-error')]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toBe('image/gif')
    expect(answer.image.length).toBe(43)
    expect(producer.seal().records).toEqual([])
  })

  it('that is asked for with HEAD stores nothing', async () => {
    expect((await get(`/v1/pixel/track?data=${base64}`, 'HEAD')).status).toBe(200)
    expect(producer.seal().records).toEqual([])
  })

  it('with unusual member names is stored with these names', async () => {
    const deep = `properties.${'a.'.repeat(200)}b=1`
    const query = `writeKey=w&userId=u&event=A&properties.__proto__.x=1&properties.constructor=2`
    expect((await get(`/v1/pixel/track?${query}`)).status).toBe(200)
    const [record] = producer.seal().records
    expect(record?.properties).toBe('{"__proto__":{"x":"1"},"constructor":"2"}')
    // Deeper than an event may be: the event is rejected, and the request is not.
    expect((await get(`/v1/pixel/track?writeKey=w&userId=u&event=A&${deep}`)).status).toBe(200)
  })
})

describe('the metrics that SDKs send about themselves', () => {
  it('are taken without a key and thrown away', async () => {
    const { status, body } = await post('/v1/m', { series: [{ type: 'Counter', metric: 'x' }] }, {})
    expect([status, body]).toEqual([200, { success: true }])
    expect(producer.seal().records).toEqual([])
  })
})

describe('a refused request with events', () => {
  const many = JSON.stringify({ batch: Array(2_000).fill(good) })
  it.each([
    ['without a key', '/v1/track', good, {}, 401, 'KEY_MISSING'],
    ['with an unknown key', '/v1/track', good, basic('x'), 401, 'KEY_INVALID'],
    ['with an unknown key in the body', '/v1/track', { ...good, writeKey: 'x' }, {}, 401, 'KEY_INVALID'],
    ['with a key that may only read', '/v1/track', good, basic('r'), 403, 'SCOPE_MISSING'],
    ['that is no JSON', '/v1/track', '{"event":', basic('w'), 400, 'MALFORMED_BODY'],
    ['that is empty', '/v1/batch', '', basic('w'), 400, 'MALFORMED_BODY'],
    ['that is no UTF-8', '/v1/track', Buffer.from([0x22, 0xff, 0x22]), basic('w'), 400, 'INVALID_UTF8'],
    ['that is no batch', '/v1/batch', good, basic('w'), 400, 'INVALID_REQUEST'],
    ['over the limit', '/v1/batch', many, basic('w'), 413, 'BODY_TOO_LARGE'],
    [
      'over the limit once decompressed',
      '/v1/batch',
      gzipSync(many),
      { ...basic('w'), 'content-encoding': 'gzip' },
      413,
      'BODY_TOO_LARGE',
    ],
    ['with too many events', '/v1/events', Array(101).fill(good), basic('w'), 413, 'BATCH_TOO_LARGE'],
  ])('publishes nothing when it comes %s, and gets %s', async (_name, path, body, headers, status, code) => {
    const answer = await post(path, body, headers)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
    expect(answer.body).toMatchObject({
      type: `urn:millrace:error:${code.toLowerCase()}`,
      status,
      request_id: expect.any(String),
    })
    expect(producer.seal()).toEqual({ records: [], tallies: [] })
    expect(counts.takeChanged()).toEqual([])
  })

  it.each([
    [
      'the tenant sends too much',
      () => {
        decision = { ok: false, retryAfterMs: 2500 }
      },
      429,
      'RATE_LIMITED',
      '3',
    ],
    [
      'the stream is full',
      () => {
        producer.refusal = streamErrors.STREAM_FULL({ retryAfterSeconds: 5 })
      },
      429,
      'STREAM_FULL',
      '5',
    ],
    [
      'the spool is full',
      () => {
        producer.refusal = streamErrors.STREAM_SPOOL_FULL({ retryAfterSeconds: 7 })
      },
      503,
      'STREAM_SPOOL_FULL',
      '7',
    ],
  ])('says when to retry if %s', async (_name, arrange, status, code, retryAfter) => {
    arrange()
    const answer = await post('/v1/track', good)
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([status, code, retryAfter])
  })
})

describe('the query string of a request with events', () => {
  it.each([
    ['/v1/events?wait=Stored', 'wait', 'wait must be stored, and is Stored; did you mean stored?'],
    ['/v1/events?wait=no', 'wait', 'wait must be stored, and is no'],
    ['/v1/events?wait', 'wait', 'the parameter wait is empty'],
    ['/v1/events?wait=stored&wait=stored', 'wait', 'occurs more than once'],
    ['/v1/events/?Wait=stored', 'Wait', 'unknown parameter Wait; the parameters are wait; did you mean wait?'],
    ['/v1/events?event=A', 'event', 'unknown parameter event'],
    ['/v1/cloudevents?writeKey=w', 'writeKey', 'unknown parameter writeKey'],
  ])('is refused when the gateway would ignore it: %s', async (path, field, detail) => {
    const { status, body } = await post(path, [good])
    expect([status, body.code, (body.details as { field: string }).field]).toEqual([400, 'INVALID_REQUEST', field])
    expect(body.detail).toContain(detail)
    expect(producer.seal()).toEqual({ records: [], tallies: [] })
  })

  it.each(['/v1/track?x=1&x=2', '/v1/batch?cachebuster=', '/v1/b?wait=Stored'])(
    'is ignored where SDKs add parameters of their own: %s',
    async (path) => {
      const body = path.startsWith('/v1/track') ? good : { batch: [good] }
      expect((await post(path, body)).status).toBe(200)
    },
  )

  it('is checked as the OpenAPI document says', () => {
    const operations = readOperationInputs(createOpenApiDocument())
    for (const { query, routes } of createWires({ segmentBytesMax: LIMIT, eventsBytesMax: LIMIT })) {
      for (const { path, method = 'POST' } of routes) {
        const documented = operations.get(`${method} ${path}`)
        expect([path, documented?.ignoresOtherParameters]).toEqual([path, query === 'any'])
        if (query !== 'any') expect(documented?.query.map(({ name }) => name)).toEqual(query.map(({ name }) => name))
      }
    }
  })
})

describe('other paths', () => {
  it.each(['/v1/batches', '/v1', '/api/v1/events', '/v1/receipts/x'])('are left to Express: %s', async (path) => {
    expect(await (await fetch(`${origin}${path}`)).text()).toBe('express')
  })
})

describe('a key in a URL', () => {
  it('is in no log line and no metric, whether the request is accepted or refused', async () => {
    for (const path of [
      '/pixel/v1/track?userId=u&event=A&',
      '/v1/pixel/track?',
      '/beacon/v1/batch?',
      '/v1/pixel/nothing?',
    ]) {
      for (const key of ['mr_write_secret', 'mr_unknown_secret']) {
        await (await fetch(`${origin}${path}writeKey=${key}`)).arrayBuffer()
        await (await fetch(`${origin}${path}writeKey=${key}`, { method: 'POST', body: '{' })).arrayBuffer()
      }
    }
    failing = new Error('the limiter failed')
    expect((await fetch(`${origin}/pixel/v1/track?userId=u&event=A&writeKey=mr_write_secret`)).status).toBe(500)
    logger.flush()
    expect(log).toContain('the limiter failed')
    for (const text of [log, await metrics.expose()]) expect(text).not.toContain('secret')
  })
})

describe('the OpenAPI document', () => {
  it('names the method of each path of each wire: all others get 405 with the methods', async () => {
    const routes = createWires({ segmentBytesMax: LIMIT, eventsBytesMax: LIMIT }).flatMap((wire) => wire.routes)
    const items = createOpenApiDocument().paths as Record<string, object>
    for (const { path } of [...routes, clientMetricsRoute]) {
      const [known] = Object.keys(items[path] ?? {}).map((method) => method.toUpperCase())
      const allow = known === 'GET' ? 'GET, HEAD, OPTIONS' : 'POST, OPTIONS'
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !allow.includes(one))) {
        const { status, headers } = await fetch(`${origin}${path}`, { method })
        expect([path, method, status, headers.get('allow')]).toEqual([path, method, 405, allow])
      }
      const options = await fetch(`${origin}${path}`, { method: 'OPTIONS' })
      expect([path, options.status, options.headers.get('allow')]).toEqual([path, 204, allow])
    }
  })

  it('describes each path of each wire', () => {
    const paths = createWires({ segmentBytesMax: LIMIT, eventsBytesMax: LIMIT }).flatMap(({ routes }) => routes)
    expect(Object.keys(createOpenApiDocument().paths)).toEqual(expect.arrayContaining(paths.map(({ path }) => path)))
  })
})
