import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { authErrors, type Principal, type Scope } from '@millrace/auth'
import { encodeReceipt, type QueryMeta, type WatchLiveResponse } from '@millrace/contracts'
import { createOpenApiDocument } from '@millrace/contracts/http'
import { silentLogger } from '@millrace/logger'
import { createHttpApp, parseConfig } from '@millrace/service'
import { streamErrors } from '@millrace/streams'
import { createHttpMetrics, createMetrics, noopTracer } from '@millrace/telemetry'
import { configSchema } from '../config.js'
import { addApi } from './add-api.js'
import { createApiCors } from './api-cors.js'
import type { ApiDeps } from './api-deps.js'

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
const receipt = encodeReceipt({
  tenantId: 7,
  producer: '01a1fd3b-4742-7bbc-bfa8-c4f7ba1f52b1',
  frames: [{ partition: 1, sequence: 2, first: 3, records: 4 }],
})
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

let server: Server
let origin: string
let calls: unknown[][]
let fault: Error | undefined
let meta: QueryMeta
let updates: AsyncIterable<WatchLiveResponse>
let stopping: AbortController

/** Calls that note what they were asked, and give `answer` or `fault`. */
function answering<T>(name: string, answer: T): (...args: unknown[]) => Promise<T> {
  return async (...args) => {
    calls.push([name, ...args])
    if (fault !== undefined) throw fault
    return answer
  }
}

beforeEach(async () => {
  calls = []
  fault = undefined
  meta = {
    source: 'rollup',
    ageMs: 1,
    watermark: new Date(1),
    tookMs: 2,
    planJson: '{"p":1}',
    isStale: true,
    isBehind: false,
    waitedMs: 0,
  }
  stopping = new AbortController()
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
    inFlight: 0n,
    lost: 0n,
    balanced: true,
  }
  const deps = {
    consumer: {
      getReceipt: answering('getReceipt', counts),
      listDeadLetters: answering('listDeadLetters', { deadLetters: [letter], nextCursor: '4' }),
      replayDeadLetter: answering('replayDeadLetter', { deadLetter: { ...letter, state: 'replaying' } }),
      discardDeadLetter: answering('discardDeadLetter', { deadLetter: { ...letter, state: 'discarded' } }),
      watchLive: (...args: unknown[]) => {
        calls.push(['watchLive', ...args])
        return updates
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
          return meta
        },
      }),
      listActivities: answering('listActivities', { dataJson: Buffer.from('[]'), nextCursor: '', meta: undefined }),
      runQuery: answering('runQuery', {
        dataJson: Buffer.from('[{"value":2e0}]'),
        summaryJson: Buffer.from('{"total":"é"}'),
        nextCursor: '',
        get meta() {
          return meta
        },
        cache: undefined,
      }),
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
    },
    identify: async (req: IncomingMessage) => {
      const found = principals[(req.headers.authorization ?? '').replace('Bearer ', '')]
      if (found === undefined) throw authErrors.KEY_INVALID()
      return found
    },
    logger: silentLogger,
    stopping: stopping.signal,
  } as unknown as ApiDeps
  const config = parseConfig(configSchema, {
    DATABASE_URL: 'postgres://x',
    STREAM_REDIS_URL: 'redis://x',
    LIVE_CONNECTIONS_MAX: '1',
  })
  const metrics = createHttpMetrics(createMetrics({ service: 'test', hasProcessMetrics: false }))
  const app = await createHttpApp(
    {},
    {
      logger: silentLogger,
      metrics,
      tracer: noopTracer,
      routes: (express) => addApi(express, deps, { cors: createApiCors(['*']), config }),
    },
  )
  server = createServer(app)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

async function ask(method: string, path: string, scope = 'a', body?: unknown) {
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: { authorization: `Bearer ${scope}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>),
  }
}

const forTenant = expect.objectContaining({ tenant: '7', caller: 'k1' })

describe('a read', () => {
  it('of stored events passes its filters to analytics-query and returns the rows', async () => {
    const { body } = await ask(
      'GET',
      `/api/v1/events?event=A&user_id=u&from=2026-11-21T00:00:00Z&limit=2&cursor=c&filters=${encodeURIComponent('[{"property":"properties.order","value":"o1"}]')}`,
      'r',
    )
    expect(body).toEqual({ data: [{ message_id: 'm1' }, { message_id: 'm2' }], next_cursor: 'n' })
    const request = {
      event: 'A',
      userId: 'u',
      from: new Date('2026-11-21T00:00:00Z'),
      to: undefined,
      limit: 2,
      cursor: 'c',
      messageId: '',
      filters: [{ property: 'properties.order', op: 'eq', valueJson: '"o1"' }],
    }
    expect(calls).toEqual([['listEvents', request, forTenant]])
  })

  it('of a timeline takes the user from the path', async () => {
    await ask('GET', '/api/v1/users/a%2Fb%20%C3%A9/timeline', 'r')
    expect(calls[0]?.[1]).toMatchObject({ userId: 'a/b é' })
  })

  it('of sessions passes its filters to analytics-query and returns freshness in meta', async () => {
    const { body, headers } = await ask(
      'GET',
      '/api/v1/sessions?active=true&user_id=u&device=tv&browser=Firefox&os=Linux&to=2026-11-21T00:00:00Z&limit=2&cursor=c',
      'r',
    )
    expect(body).toMatchObject({
      data: [{ session_id: 's1' }],
      summary: { active_sessions: 3 },
      next_cursor: 'n',
      meta: { source: 'rollup', age_ms: 1, watermark: '1970-01-01T00:00:00.001Z', took_ms: 2 },
    })
    expect(headers.get('cache-control')).toBe('no-store')
    const request = {
      active: true,
      userId: 'u',
      sessionId: '',
      device: 'tv',
      browser: 'Firefox',
      os: 'Linux',
      from: undefined,
      to: new Date('2026-11-21T00:00:00Z'),
      limit: 2,
      cursor: 'c',
    }
    expect(calls).toEqual([['listSessions', request, forTenant]])
  })

  it('of the sessions of one user takes the user from the path', async () => {
    await ask('GET', '/api/v1/users/a%2Fb/sessions?active=false&session_id=s', 'r')
    expect(calls[0]?.[1]).toMatchObject({ userId: 'a/b', active: false, sessionId: 's', device: '' })
  })

  it('of activities passes its filters to analytics-query', async () => {
    const address = '/api/v1/activities?user_id=u&action=a&entity_type=t&entity_id=i&from=2026-11-21T00:00:00Z'
    const { body } = await ask('GET', address, 'r')
    expect(body).toMatchObject({ data: [], next_cursor: null, meta: { source: 'raw' } })
    expect(body).not.toHaveProperty('summary')
    const filters = { userId: 'u', action: 'a', entityType: 't', entityId: 'i' }
    const request = { ...filters, from: new Date('2026-11-21T00:00:00Z'), to: undefined, limit: 0, cursor: '' }
    expect(calls).toEqual([['listActivities', request, forTenant]])
  })

  it('of the ledger returns its counts as JSON numbers', async () => {
    const { body } = await ask('GET', '/api/v1/ledger', 'r')
    expect(body).toEqual({
      streams: [
        {
          stream: 'events',
          tenant: 't',
          accepted: 5,
          stored: 4,
          duplicate: 0,
          rejected: 1,
          dead_lettered: 0,
          in_flight: 0,
          lost: 0,
          balanced: true,
        },
      ],
    })
  })

  it('of a receipt is allowed with the key that wrote the events', async () => {
    const { body } = await ask('GET', `/v1/receipts/${receipt}?wait_ms=500`, 'w')
    expect(body).toMatchObject({
      state: 'settled',
      accepted: 4,
      stored: 3,
      duplicate: 1,
      frames: [{ partition: 1, sequence: 2, records: 4, settled: true }],
    })
    expect(calls).toEqual([['getReceipt', { receipt, waitMs: 500 }, { tenant: '7', caller: 'k1', deadlineMs: 5500 }]])
  })

  it.each([
    [`/v1/receipts/${receipt}`, 'other', 404, 'RECEIPT_FOREIGN'],
    ['/v1/receipts/nonsense', 'w', 400, 'INVALID_REQUEST'],
  ])('of the receipt %s with the key %s is refused with status %s and code %s', async (path, scope, status, code) => {
    const answer = await ask('GET', path, scope)
    expect([answer.status, answer.body?.code, calls.length]).toEqual([status, code, 0])
  })
})

describe('a query', () => {
  const request = {
    kind: 'top',
    event: 'A',
    metric: { agg: 'sum', property: 'properties.v' },
    from: new Date(0),
    fromIsLocal: true,
    to: undefined,
    interval: '',
    timezone: 'Europe/Berlin',
    filters: [],
    groupBy: ['properties.c', 'properties.d'],
    limit: 5,
    cursor: '',
    explain: false,
    steps: [],
    windowMs: 0n,
    returnEvent: '',
    periods: 0,
    compare: '',
    fill: '',
    minWatermark: undefined,
    fresh: false,
  }

  it('has the same meaning in a query string and in a body', async () => {
    await ask(
      'GET',
      '/api/v1/query/top?event=A&metric=sum&property=properties.v&from=1970-01-01&timezone=Europe/Berlin&group_by=properties.c,properties.d&limit=5',
      'r',
    )
    await ask('POST', '/api/v1/query/top', 'r', {
      event: 'A',
      metric: { agg: 'sum', property: 'properties.v' },
      from: '1970-01-01',
      timezone: 'Europe/Berlin',
      group_by: ['properties.c', 'properties.d'],
      limit: 5,
    })
    expect(calls).toEqual([
      ['runQuery', request, forTenant],
      ['runQuery', request, forTenant],
    ])
  })

  it('takes filters as JSON text', async () => {
    await ask('POST', '/api/v1/query/timeseries', 'r', {
      filters: [
        { property: 'properties.c', op: 'in', value: ['UA', 1] },
        { property: 'properties.d', op: 'exists' },
      ],
    })
    expect(calls[0]?.[1]).toMatchObject({
      filters: [
        { property: 'properties.c', op: 'in', valueJson: '["UA",1]' },
        { property: 'properties.d', op: 'exists', valueJson: '' },
      ],
    })
  })

  const filter = { property: 'properties.c', op: 'eq', valueJson: '"UA"' }
  it.each([
    [
      'funnel?steps=A,B&window=14d&compare=previous&min_watermark=1970-01-01&wait=5s&strict=true&fresh=true&explain=0',
      {
        steps: ['A', { event: 'B' }],
        window: 1_209_600_000,
        compare: 'previous',
        min_watermark: '1970-01-01T00:00:00Z',
        wait: 5000,
        strict: true,
        fresh: true,
        explain: false,
      },
      {
        steps: [
          { event: 'A', filters: [] },
          { event: 'B', filters: [] },
        ],
        windowMs: 1_209_600_000n,
        compare: 'previous',
        minWatermark: new Date(0),
        waitMs: 5000,
        fresh: true,
      },
    ],
    [
      `funnel?steps=${encodeURIComponent('["A",{"event":"B","filters":[{"property":"properties.c","value":"UA"}]}]')}`,
      { steps: ['A', { event: 'B', filters: [{ property: 'properties.c', op: 'eq', value: 'UA' }] }] },
      {
        steps: [
          { event: 'A', filters: [] },
          { event: 'B', filters: [filter] },
        ],
      },
    ],
    [
      'retention?event=A&return_event=R&interval=1w&periods=8',
      { event: 'A', return_event: 'R', interval: '1w', periods: 8, limit: null },
      { event: 'A', returnEvent: 'R', interval: '1w', periods: 8 },
    ],
    ['sessions?window=30m&fill=null', { window: '1800000', fill: 'null' }, { windowMs: 1_800_000n, fill: 'null' }],
    [
      'percentiles?agg=p95&property=properties.v',
      { metric: { agg: 'p95', property: 'properties.v' } },
      { metric: { agg: 'p95', property: 'properties.v' } },
    ],
    ['logins?group_by=method&group_by=os', { group_by: ['method', 'os'] }, { groupBy: ['method', 'os'] }],
    ['daily?to=1970-01-01T01:00:00%2B01:00&event=', { to: '1970-01-01T00:00:00Z' }, { to: new Date(0), event: '' }],
  ])('has the same meaning as query string %s and as body %j', async (address, body, expected) => {
    await ask('GET', `/api/v1/query/${address}`, 'r')
    await ask('POST', `/api/v1/query/${address.replace(/\?.*/, '')}`, 'r', body)
    expect(calls[0]?.[1]).toMatchObject(expected)
    expect(calls[1]).toEqual(calls[0])
  })

  it('that does not reach min_watermark says is_behind, or fails when it is strict', async () => {
    meta = { ...meta, isBehind: true, waitedMs: 7 }
    const address = '/api/v1/query/uniques?min_watermark=1970-01-02'
    expect((await ask('GET', address, 'r')).body?.meta).toMatchObject({ is_behind: true, waited_ms: 7 })
    const answer = await fetch(`${origin}${address}&strict=true`, { headers: { authorization: 'Bearer r' } })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await answer.json()).toMatchObject({
      code: 'WATERMARK_NOT_REACHED',
      retryable: true,
      details: { watermark: '1970-01-01T00:00:00.001Z' },
    })
    meta = { ...meta, isBehind: false }
    expect((await ask('GET', `${address}&strict=true`, 'r')).status).toBe(200)
  })

  it('returns where its answer comes from in meta', async () => {
    const response = await fetch(`${origin}/api/v1/query/uniques`, { headers: { authorization: 'Bearer r' } })
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
    expect(await response.text()).toBe(
      '{"data":[{"value":2e0}],"summary":{"total":"é"},"next_cursor":null,"meta":{"source":"rollup","age_ms":1,"watermark":"1970-01-01T00:00:00.001Z","took_ms":2,"is_stale":true,"plan":{"p":1}}}',
    )
  })

  it.each([
    ['GET', '/api/v1/query/sums', undefined, 404, undefined],
    ['GET', '/api/v1/query/constructor', undefined, 404, undefined],
    ['POST', '/api/v1/query/top', [], 400, 'the body'],
    ['GET', '/api/v1/query/timeseries?limit=0', undefined, 400, 'limit: too small: expected number to be >=1'],
    [
      'GET',
      '/api/v1/query/timeseries?limit=x',
      undefined,
      400,
      'limit: invalid input: expected number, received string',
    ],
    [
      'GET',
      '/api/v1/query/uniques?from=yesterday',
      undefined,
      400,
      'from: must be a time such as 2026-11-21T08:00:00Z',
    ],
    [
      'GET',
      '/api/v1/query/uniques?from=2026-13-01',
      undefined,
      400,
      'from: must be a time such as 2026-11-21T08:00:00Z',
    ],
    [
      'GET',
      '/api/v1/query/uniques?event=a&event=b',
      undefined,
      400,
      'event: invalid input: expected string, received array',
    ],
    ['GET', '/api/v1/query/uniques?interval=2h', undefined, 400, 'interval: invalid option: expected one of "1m"|"5m"'],
    ['GET', '/api/v1/query/uniques?filters=%7B', undefined, 400, 'filters must be JSON'],
    ['GET', '/api/v1/events?filters=%7B', undefined, 400, 'filters must be JSON'],
    ['GET', '/api/v1/events?filters=%7B%7D', undefined, 400, 'filters: invalid input: expected array, received object'],
    ['GET', '/api/v1/users/u/timeline?filters=[{}]', undefined, 400, 'filters.0.property: '],
    ['POST', '/api/v1/query/uniques', { filters: {} }, 400, 'filters: invalid input: expected array, received object'],
    ['POST', '/api/v1/query/uniques', { filters: [{ op: 'eq' }] }, 400, 'a uniques query needs filters.0.property'],
    ['POST', '/api/v1/query/uniques', { filters: [{ property: 'event', is: 'A' }] }, 400, 'no field filters.0.is'],
    ['POST', '/api/v1/query/top', {}, 400, 'a top query needs group_by'],
    ['POST', '/api/v1/query/top', { group_by: [1] }, 400, 'group_by.0: invalid input: expected string'],
    [
      'POST',
      '/api/v1/query/top',
      { group_by: ['a'], steps: [] },
      400,
      'a top query has no field steps: it has event, metric',
    ],
    ['GET', '/api/v1/query/percentiles', undefined, 400, 'a percentiles query needs metric'],
    ['GET', '/api/v1/query/uniques?event=a%00b', undefined, 400, 'event: it has the character NUL at position 1'],
    [
      'POST',
      '/api/v1/query/uniques',
      { event: 'ab\ud800' },
      400,
      'event: it has half of a surrogate pair at position 2',
    ],
    [
      'POST',
      '/api/v1/query/top',
      { group_by: ['properties.\udc00'] },
      400,
      'group_by.0: it has half of a surrogate pair',
    ],
    ['POST', '/api/v1/query/retention', { return_event: '\ud83d' }, 400, 'return_event: it has half of a surrogate'],
    ['POST', '/api/v1/query/uniques', { cursor: 'x\0' }, 400, 'cursor: it has the character NUL at position 1'],
    ['GET', '/api/v1/events?user_id=u%00', undefined, 400, 'user_id: it has the character NUL at position 1'],
    ['GET', '/api/v1/events?cursor=%00', undefined, 400, 'cursor: it has the character NUL at position 0'],
    ['GET', '/api/v1/users/a%00/timeline', undefined, 400, 'id: it has the character NUL at position 1'],
    ['GET', '/api/v1/query/funnel?steps=A', undefined, 400, 'steps: too small: expected array to have >=2 items'],
    ['POST', '/api/v1/query/funnel', { steps: ['A', 1] }, 400, 'steps.1: must be the name of an event, or an object'],
    ['GET', '/api/v1/query/uniques?from=2026-02-30T00:00:00Z', undefined, 400, 'from: must be a time'],
    ['GET', '/api/v1/query/uniques?__proto__=1', undefined, 400, 'a uniques query has no field __proto__'],
    ['GET', '/api/v1/query/uniques?toString=1', undefined, 400, 'a uniques query has no field toString'],
    ['POST', '/api/v1/query/uniques', JSON.parse('{"__proto__":1}'), 400, 'a uniques query has no field __proto__'],
    ['GET', '/api/v1/query/sessions?window=0', undefined, 400, 'window: must be milliseconds'],
    ['POST', '/api/v1/query/sessions', { window: '00s' }, 400, 'window: must be milliseconds'],
    ['GET', '/api/v1/events?from=2026-02-30', undefined, 400, 'from must be a time'],
    ['GET', '/api/v1/events?userId=u', undefined, 400, 'unknown parameter userId; the parameters are event, from'],
    ['GET', '/api/v1/users/u/timeline?user_id=v', undefined, 400, 'unknown parameter user_id'],
    ['GET', '/api/v1/users/u/sessions?user_id=v', undefined, 400, 'unknown parameter user_id'],
    ['GET', '/api/v1/sessions?active=1', undefined, 400, 'active must be true or false'],
    ['GET', '/api/v1/sessions?ip=10.0.0.1', undefined, 400, 'unknown parameter ip; the parameters are user_id, active'],
    [
      'GET',
      '/api/v1/activities?entity=e',
      undefined,
      400,
      'unknown parameter entity; the parameters are user_id, action',
    ],
    ['GET', '/api/v1/activities?limit=1001', undefined, 400, 'limit must be a whole number from 1 to 1000'],
    ['GET', '/api/v1/query/sessions?window=soon', undefined, 400, 'window: must be milliseconds or a duration'],
    ['POST', '/api/v1/query/daily', { interval: '1d' }, 400, 'a daily query has no field interval'],
  ])('is refused with a message about what is wrong: %s %s %j', async (method, path, body, status, detail) => {
    const answer = await ask(method, path, 'r', body)
    expect([answer.status, answer.body?.code, calls.length]).toEqual([
      status,
      status === 404 ? 'ROUTE_NOT_FOUND' : 'INVALID_REQUEST',
      0,
    ])
    if (detail !== undefined) expect(answer.body?.detail).toContain(detail)
  })
})

describe('dead letters', () => {
  it('can be listed, replayed and discarded', async () => {
    expect((await ask('GET', '/api/v1/dead-letters?limit=1', 'r')).body).toMatchObject({
      data: [{ id: '5', message_id: 'm', record: { event: 'A' } }],
      next_cursor: '4',
    })
    expect((await ask('POST', '/api/v1/dead-letters/5/replay')).body).toMatchObject({ state: 'replaying' })
    expect((await ask('DELETE', '/api/v1/dead-letters/5')).body).toMatchObject({ state: 'discarded' })
    expect(calls.map(([name]) => name)).toEqual(['listDeadLetters', 'replayDeadLetter', 'discardDeadLetter'])
  })
})

describe('keys', () => {
  it('are created, listed, rotated and revoked for the tenant of the caller', async () => {
    expect((await ask('GET', '/api/v1/keys')).body).toEqual({
      data: [
        {
          id: '3',
          name: 'n',
          hint: 'mr_…',
          scopes: ['write'],
          created_at: '1970-01-01T00:00:00.000Z',
          expires_at: null,
          revoked_at: null,
        },
      ],
    })
    const made = await ask('POST', '/api/v1/keys', 'a', {
      name: 'shop',
      scopes: ['write', 'read'],
      expires_at: '2027-01-01T00:00:00Z',
    })
    expect([made.status, made.body?.key]).toEqual([201, 'mr_new'])
    expect((await ask('POST', '/api/v1/keys/3/rotate', 'a', { overlap_seconds: 60 })).body).toMatchObject({
      id: '4',
      key: 'mr_next',
    })
    expect((await ask('POST', '/api/v1/keys/3/rotate')).status).toBe(201)
    expect((await ask('DELETE', '/api/v1/keys/3')).status).toBe(204)
    const request = {
      tenantId: 7,
      name: 'shop',
      scopes: ['write', 'read'],
      expiresAt: new Date('2027-01-01T00:00:00Z'),
    }
    expect(calls).toEqual([
      ['list', 7],
      ['create', request],
      ['rotate', 7, '3', 60_000],
      ['rotate', 7, '3', undefined],
      ['revoke', 7, '3'],
    ])
  })

  it.each([
    {},
    { scopes: [] },
    { scopes: ['root'] },
    { scopes: ['write'], name: 5 },
    { scopes: ['write'], expires_at: 'soon' },
  ])('are not created from the invalid request %j', async (body) => {
    expect((await ask('POST', '/api/v1/keys', 'a', body)).status).toBe(400)
    expect(calls).toEqual([])
  })
})

describe('scopes', () => {
  const reads = [
    '/api/v1/events',
    '/api/v1/users/u/timeline',
    '/api/v1/sessions',
    '/api/v1/users/u/sessions',
    '/api/v1/activities',
    '/api/v1/query/top',
    '/api/v1/ledger',
    '/api/v1/dead-letters',
    '/api/v1/live',
  ]
  it.each(reads.map((path) => [path] as const))('do not allow a write key to read %s', async (path) => {
    expect((await ask('GET', path, 'w')).status).toBe(403)
    expect((await ask('GET', path, 'nobody')).status).toBe(401)
    expect(calls).toEqual([])
  })

  it.each([
    ['GET', '/api/v1/keys'],
    ['POST', '/api/v1/keys'],
    ['POST', '/api/v1/keys/3/rotate'],
    ['DELETE', '/api/v1/keys/3'],
    ['POST', '/api/v1/dead-letters/5/replay'],
    ['DELETE', '/api/v1/dead-letters/5'],
    ['GET', '/api/health/detailed'],
  ])('allow only admin keys to call %s %s', async (method, path) => {
    for (const scope of ['r', 'w']) expect((await ask(method, path, scope)).status).toBe(403)
    expect(calls).toEqual([])
  })
})

describe('health', () => {
  it.each([
    ['/api/health', 'summary'],
    ['/api/system/health', 'system'],
    ['/api/health/detailed', 'detailed'],
  ])('at %s is the answer of health-aggregator for level %s', async (path, level) => {
    expect((await ask('GET', path)).body).toEqual({ status: 'healthy' })
    expect(calls[0]?.slice(0, 2)).toEqual(['getHealth', { level }])
  })

  it('is answered with 503 by the gateway itself when health-aggregator is down', async () => {
    fault = streamErrors.STREAM_UNAVAILABLE()
    expect(await ask('GET', '/api/health', 'nobody')).toMatchObject({
      status: 503,
      body: { status: 'degraded', services: { health_aggregator: { status: 'unhealthy' } } },
    })
  })
})

describe('the error of a peer service', () => {
  it('reaches the client with its code and status', async () => {
    fault = streamErrors.STREAM_UNAVAILABLE({ retryAfterSeconds: 4 })
    const answer = await ask('GET', '/api/v1/ledger')
    expect([answer.status, answer.body?.code, answer.headers.get('retry-after')]).toEqual([
      503,
      'STREAM_UNAVAILABLE',
      '4',
    ])
  })
})

describe('the live stream', () => {
  async function* counting(): AsyncGenerator<WatchLiveResponse> {
    for (let i = 0n; i < 2n; i++) yield { time: new Date(0), events: i, byEvent: { A: i }, watermark: undefined }
    if (fault !== undefined) throw fault
  }

  it('sends one event for each update, and a problem when its source fails', async () => {
    updates = counting()
    fault = streamErrors.STREAM_UNAVAILABLE()
    const response = await fetch(`${origin}/api/v1/live`, { headers: { authorization: 'Bearer r' } })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const text = await response.text()
    expect(text).toContain(
      'event: counts\ndata: {"time":"1970-01-01T00:00:00.000Z","events":1,"by_event":{"A":1},"watermark":null}\n\n',
    )
    expect(text).toMatch(/event: problem\ndata: \{.*STREAM_UNAVAILABLE.*\}\n\n$/)
  })

  it('ends when the service stops, and is refused above the maximum number', async () => {
    updates = {
      async *[Symbol.asyncIterator]() {
        yield { time: new Date(0), events: 1n, byEvent: {}, watermark: undefined }
        await once(stopping.signal, 'abort')
      },
    }
    const first = await fetch(`${origin}/api/v1/live`, { headers: { authorization: 'Bearer r' } })
    const second = await ask('GET', '/api/v1/live', 'r')
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '10'])
    stopping.abort()
    expect(await first.text()).toContain('event: counts')
  })
})

describe('the OpenAPI document', () => {
  it('describes exactly the routes that exist behind Express', async () => {
    expect((await ask('GET', '/openapi.json')).body).toEqual(JSON.parse(JSON.stringify(createOpenApiDocument())))
    for (const [path, item] of Object.entries(createOpenApiDocument().paths as Record<string, object>)) {
      if (path.startsWith('/v1/') && !path.startsWith('/v1/receipts')) continue
      for (const method of Object.keys(item)) {
        updates = counting()
        const { status } = await fetch(`${origin}${path.replace('{receipt}', receipt).replace('{id}', '5')}`, {
          method: method.toUpperCase(),
          headers: { authorization: 'Bearer w' },
        })
        expect([path, method, status]).not.toEqual([path, method, 404])
      }
    }
    async function* counting(): AsyncGenerator<WatchLiveResponse> {}
  })

  it('is also a page that loads nothing from elsewhere', async () => {
    const response = await fetch(`${origin}/docs`)
    const page = await response.text()
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    )
    expect(page).toContain('/api/v1/users/{id}/timeline')
    expect(page).not.toMatch(/<script|src=|https?:/i)
  })

  it('may be read by web pages of other origins', async () => {
    const response = await fetch(`${origin}/api/v1/ledger`, {
      method: 'OPTIONS',
      headers: { origin: 'https://x.example' },
    })
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
  })

  it('has CORS headers without an Origin too, because caches give responses to web pages later', async () => {
    const { headers } = await fetch(`${origin}/api/v1/query/uniques`, { headers: { authorization: 'Bearer r' } })
    expect(headers.get('access-control-allow-origin')).toBe('*')
    for (const name of ['ETag', 'Age', 'Date', 'Millrace-Meta'])
      expect(headers.get('access-control-expose-headers')?.split(', ')).toContain(name)
    const some: string[] = []
    createApiCors(['https://x.example']).append(some, undefined)
    expect(some).toEqual(['Vary', 'Origin'])
  })
})
