import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { authErrors, type KeyVerifier, type LimitDecision, type Principal } from '@millrace/auth'
import { decodeReceipt } from '@millrace/contracts'
import { createOpenApiDocument } from '@millrace/contracts/http'
import { Cors, createIntake, ResponseWriter } from '@millrace/http-intake'
import { silentLogger } from '@millrace/logger'
import { createSecurityHeaders } from '@millrace/service'
import { streamErrors } from '@millrace/streams'
import { createHttpMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { ProducedCounts } from '../ledger/produced-counts.js'
import { IngestMetrics } from '../metrics.js'
import { createOnRefused } from '../rejections/note-rejections.js'
import { RejectedEvent } from '../rejections/rejected-event.js'
import type { RejectionDraft } from '../rejections/rejection-draft.js'
import { openAcceptor, type RecordingProducer } from '../testing/open-acceptor.js'
import type { Outcome } from '../wires/response-form.js'
import { createWires } from '../wires/wires.js'
import { createEventRoutes } from './event-routes.js'

/** Largest body of Segment's wire, in bytes. */
const LIMIT = 60_000
const writer: Principal = { keyId: '1', tenantId: 7, tenantName: 't', scopes: ['write'], limits: {} }
const principals: Record<string, Principal> = { w: writer, r: { ...writer, scopes: ['read'] } }
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
  takeTokens = () => decision
  outcome = { state: 'settled', stored: 1, duplicate: 0, dead_lettered: 0, in_flight: 0 }
  isSlow = false
  kept = []
  const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
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
    tracer: noopTracer,
  })
  const handle = createIntake(routes, {
    verifier,
    responses: new ResponseWriter(new Cors({ origins: ['*'] }), await createSecurityHeaders()),
    metrics: createHttpMetrics(metrics),
    tracer: noopTracer,
    logger: silentLogger,
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
    expect((await post('/v1/events?wait=no', [good])).body.outcome).toBeUndefined()
  })

  it('may be NDJSON if its content type says so', async () => {
    const { body } = await post('/v1/events', `${JSON.stringify(good)}\n{`, {
      ...basic('w'),
      'content-type': 'application/x-ndjson; charset=utf-8',
    })
    expect(body).toMatchObject({ accepted: 1, rejected: [{ index: 1, code: 'malformed_json' }] })
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

describe('other paths', () => {
  it.each(['/v1/batches', '/v1', '/api/v1/events', '/v1/receipts/x'])('are left to Express: %s', async (path) => {
    expect(await (await fetch(`${origin}${path}`)).text()).toBe('express')
  })
})

describe('the OpenAPI document', () => {
  it('describes each path of each wire', () => {
    const paths = createWires({ segmentBytesMax: LIMIT, eventsBytesMax: LIMIT }).flatMap(({ routes }) => routes)
    expect(Object.keys(createOpenApiDocument().paths)).toEqual(expect.arrayContaining(paths.map(({ path }) => path)))
  })
})
