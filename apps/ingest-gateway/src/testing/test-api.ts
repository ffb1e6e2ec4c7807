import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { authErrors, type LimitDecision, type Principal, type Scope } from '@millrace/auth'
import {
  type CachePolicy,
  encodeReceipt,
  type QueryMeta,
  type RunQueryRequest,
  type WatchLiveResponse,
  type WatchLogsResponse,
} from '@millrace/contracts'
import { createCorsMiddleware } from '@millrace/http-intake'
import { silentLogger } from '@millrace/logger'
import { createHttpApp, parseConfig } from '@millrace/service'
import { createHttpMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { addApi } from '../api/add-api.js'
import { createApiCors } from '../api/api-cors.js'
import type { ApiDeps } from '../api/api-deps.js'
import { createCheckKeyFirst } from '../api/check-key-first.js'
import { configSchema } from '../config.js'
import type { KeptRejection } from '../rejections/kept-rejection.js'

const principal = (scopes: Scope[], tenantId = 7): Principal => ({
  keyId: 'k1',
  tenantId,
  tenantName: 't',
  scopes,
  limits: {},
})
const principals: Record<string, Principal> = {
  w: principal(['write']),
  r: principal(['read']),
  a: principal(['admin']),
  other: principal(['read'], 8),
}
/** A receipt of tenant 7. */
export const TEST_RECEIPT = encodeReceipt({
  tenantId: 7,
  producer: '01a1fd3b-4742-7bbc-bfa8-c4f7ba1f52b1',
  frames: [{ partition: 1, sequence: 2, first: 3, records: 4 }],
})
/** A ticket of tenant 7 for live streams. */
export const TEST_TICKET = `mr_live_${'t'.repeat(32)}`
const letter = {
  id: '5',
  stream: 'events',
  partition: 1,
  position: '1-0',
  messageId: 'm',
  code: 'c',
  reason: 'r',
  state: 'pending',
  createdAt: new Date(0),
  recordJson: '{"event":"A"}',
}
const key = {
  id: '3',
  tenantId: 7,
  name: 'n',
  hint: 'mr_…',
  scopes: ['write'] as Scope[],
  createdAt: new Date(0),
  expiresAt: undefined,
  revokedAt: undefined,
}
const rejection: KeptRejection = {
  time: '2026-11-21T08:00:00.000Z',
  scope: 'event',
  wire: 'segment',
  path: '/v1/batch',
  code: 'missing_user',
  reason: 'an event must have a userId or an anonymousId',
  index: 0,
  message_id: 'm1',
  type: 'track',
  event: 'A',
  user_id: null,
  anonymous_id: null,
  library: 'analytics-node 2.0.0',
  user_agent: null,
  excerpt: '{"event":"A"}',
  bytes: 13,
  omitted: 0,
}

/** The answer to each query for the event `Large`, which caches may keep. */
const LARGE_DATA = Array.from({ length: 500 }, (_, value) => ({ group: { event: `é${value}` }, value }))
const LARGE_CACHE: CachePolicy = {
  etag: 'large',
  maxAgeS: 60,
  staleWhileRevalidateS: 0,
  isImmutable: false,
  surrogateKeys: [],
}

interface TestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown> | undefined
}

/** The API behind Express over peer services that record their calls. A test may change the fields between requests. */
export class TestApi {
  /** Name and arguments of each call to a peer service. */
  readonly calls: unknown[][] = []
  /** Peer services throw this error when it is set. */
  fault: Error | undefined
  /** The meta of query answers. */
  meta: QueryMeta = {
    source: 'rollup',
    ageMs: 1,
    watermark: new Date(1),
    tookMs: 2,
    planJson: '{"p":1}',
    isStale: true,
    isBehind: false,
    waitedMs: 0,
  }
  /** Whether the tenant may send more. */
  decision: LimitDecision = { ok: true }
  /** Whether keys are still valid when live streams check them. */
  isKeyValid = true
  /** What the live stream sends. */
  updates: AsyncIterable<WatchLiveResponse> = { async *[Symbol.asyncIterator]() {} }
  /** What the live stream of log lines sends. */
  lineUpdates: AsyncIterable<WatchLogsResponse> = { async *[Symbol.asyncIterator]() {} }
  readonly stopping = new AbortController()
  readonly #settings: Readonly<Record<string, string>>
  readonly #server = createServer()
  origin = ''

  /** `settings` are added to the ones that a gateway needs to start. */
  constructor(settings: Readonly<Record<string, string>> = {}) {
    this.#settings = settings
  }

  async open(): Promise<this> {
    const config = parseConfig(configSchema, {
      DATABASE_URL: 'postgres://x',
      STREAM_REDIS_URL: 'redis://x',
      LIVE_CONNECTIONS_MAX: '1',
      ...this.#settings,
    })
    const deps = createDeps(this)
    const app = await createHttpApp(
      {},
      {
        logger: silentLogger,
        metrics: createHttpMetrics(createMetrics({ service: 'test', hasProcessMetrics: false })),
        tracer: noopTracer,
        before: createCorsMiddleware(createApiCors(['*'])),
        beforeBody: createCheckKeyFirst(deps),
        routes: (express) => addApi(express, deps, config),
      },
    )
    this.#server.on('request', app)
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    this.origin = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
    return this
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  /** Sends a request with the key `w`, `r` or `a` (named after its scope), or with `other`, a read key of another tenant. */
  async ask(method: string, path: string, key = 'a', body?: unknown): Promise<TestAnswer> {
    const response = await fetch(`${this.origin}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
    }
  }
}

function findCaller(key: string): Principal {
  const found = principals[key]
  if (found === undefined) throw authErrors.KEY_INVALID()
  return found
}

function createDeps(api: TestApi): ApiDeps {
  /** A call that is recorded and returns `answer`, or throws `api.fault`. */
  function answering<T>(name: string, answer: T): (...args: unknown[]) => Promise<T> {
    return async (...args) => {
      api.calls.push([name, ...args])
      if (api.fault !== undefined) throw api.fault
      return answer
    }
  }
  const counts = {
    state: 'settled',
    accepted: 4n,
    stored: 3n,
    duplicate: 1n,
    deadLettered: 0n,
    inFlight: 0n,
    frames: [{ partition: 1, sequence: 2n, records: 4, settled: true }],
  }
  const entry = {
    stream: 'events',
    tenant: 't',
    accepted: 5n,
    stored: 4n,
    duplicate: 0n,
    rejected: 1n,
    deadLettered: 0n,
    expired: 0n,
    inFlight: 0n,
    lost: 0n,
    balanced: true,
  }
  const logAnswer = {
    dataJson: '[]',
    metaJson: '{"from":"2026-11-21T08:00:00Z"}',
    scanned: 2n,
    skipped: 1n,
    total: 2n,
    incomplete: [],
    watermark: undefined,
  }
  return {
    consumer: {
      getReceipt: answering('getReceipt', counts),
      listDeadLetters: answering('listDeadLetters', { deadLetters: [letter], nextCursor: '4' }),
      replayDeadLetter: answering('replayDeadLetter', { deadLetter: { ...letter, state: 'replaying' } }),
      discardDeadLetter: answering('discardDeadLetter', { deadLetter: { ...letter, state: 'discarded' } }),
      watchLive: (...args: unknown[]) => {
        api.calls.push(['watchLive', ...args])
        return api.updates
      },
    },
    logs: {
      getTransforms: answering('getTransforms', {
        version: 3,
        rulesJson: '{"rules":[]}',
        createdAt: new Date(0),
        createdBy: 'k1',
        versions: [],
      }),
      putTransforms: answering('putTransforms', { version: 4, createdAt: new Date(0), createdBy: 'k1' }),
      tryTransforms: answering('tryTransforms', { linesJson: ['{"outcome":"kept"}'], leftOut: 0 }),
      searchLogs: async () => ({
        linesJson: [],
        nextCursor: '',
        scanned: 0n,
        skipped: 0n,
        total: 0n,
        watermark: undefined,
        incomplete: [],
        hints: [],
      }),
      getLogContext: answering('getLogContext', { linesJson: ['{"id":"1-0-1"}'], index: 0, incomplete: [] }),
      countLogs: answering('countLogs', { answer: logAnswer }),
      topLogValues: answering('topLogValues', { answer: logAnswer }),
      findLogPatterns: answering('findLogPatterns', { answer: logAnswer }),
      watchLogs: (...args: unknown[]) => {
        api.calls.push(['watchLogs', ...args])
        return api.lineUpdates
      },
    },
    analytics: {
      listEvents: answering('listEvents', {
        eventsJson: ['{"message_id":"m1"}', '{"message_id":"m2"}'],
        nextCursor: 'n',
      }),
      listSessions: answering('listSessions', {
        dataJson: Buffer.from('[{"session_id":"s1"}]'),
        summaryJson: Buffer.from('{"active_sessions":3}'),
        nextCursor: 'n',
        get meta() {
          return api.meta
        },
      }),
      listActivities: answering('listActivities', { dataJson: Buffer.from('[]'), nextCursor: '', meta: undefined }),
      runQuery: async (request: RunQueryRequest, ...rest: unknown[]) => {
        await answering('runQuery', undefined)(request, ...rest)
        const isLarge = request.event === 'Large'
        return {
          dataJson: Buffer.from(isLarge ? JSON.stringify(LARGE_DATA) : '[{"value":2e0}]'),
          summaryJson: Buffer.from('{"total":"é"}'),
          nextCursor: '',
          meta: api.meta,
          cache: isLarge ? LARGE_CACHE : undefined,
        }
      },
    },
    health: {
      getLedger: answering('getLedger', { streams: [entry] }),
      getHealth: answering('getHealth', { status: 'healthy', bodyJson: '{"status":"healthy"}' }),
    },
    keys: {
      list: answering('list', [key]),
      create: answering('create', { ...key, key: 'mr_new' }),
      rotate: answering('rotate', { ...key, id: '4', key: 'mr_next' }),
      revoke: answering('revoke', undefined),
      isValid: async () => api.isKeyValid,
    },
    tickets: {
      issue: answering('issueTicket', { ticket: TEST_TICKET, expiresAt: new Date(60_000) }),
      find: async (ticket: string) => (ticket === TEST_TICKET ? { keyId: 'k1', tenantId: 7 } : undefined),
    },
    limiter: { take: () => api.decision },
    rejections: { list: answering('listRejections', { data: [rejection], nextCursor: 'n' }) },
    identify: async (req: IncomingMessage) => findCaller((req.headers.authorization ?? '').replace('Bearer ', '')),
    identifyKey: async (key: string) => findCaller(key),
    logger: silentLogger,
    stopping: api.stopping.signal,
  } as unknown as ApiDeps
}
