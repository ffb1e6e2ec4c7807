import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import { streamErrors } from '@millrace/streams'
import { TEST_RECEIPT, TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

const forTenant = expect.objectContaining({ tenant: '7', caller: 'k1' })

describe('a read', () => {
  it('of stored events passes its filters to analytics-query and returns the rows', async () => {
    const { body } = await api.ask(
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
    expect(api.calls).toEqual([['listEvents', request, forTenant]])
  })

  it.each([
    '/api/v1/events?',
    '/api/v1/users/u/timeline?',
    '/api/v1/sessions?',
    '/api/v1/users/u/sessions?',
    '/api/v1/activities?',
    '/api/v1/dead-letters?',
    '/api/v1/query/uniques?',
  ])('of %s accepts the longest cursor that is issued, and no longer one', async (path) => {
    const ask = (length: number) => api.ask('GET', `${path}cursor=${'x'.repeat(length)}`, 'r')
    expect((await ask(CURSOR_LENGTH_MAX)).status).toBe(200)
    expect((await ask(CURSOR_LENGTH_MAX + 1)).status).toBe(400)
  })

  it('of a timeline takes the user from the path', async () => {
    await api.ask('GET', '/api/v1/users/a%2Fb%20%C3%A9/timeline', 'r')
    expect(api.calls[0]?.[1]).toMatchObject({ userId: 'a/b é' })
  })

  it('of sessions passes its filters to analytics-query and returns freshness in meta', async () => {
    const { body, headers } = await api.ask(
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
    expect(api.calls).toEqual([['listSessions', request, forTenant]])
  })

  it('of the sessions of one user takes the user from the path', async () => {
    await api.ask('GET', '/api/v1/users/a%2Fb/sessions?active=false&session_id=s', 'r')
    expect(api.calls[0]?.[1]).toMatchObject({ userId: 'a/b', active: false, sessionId: 's', device: '' })
  })

  it('of activities passes its filters to analytics-query', async () => {
    const address = '/api/v1/activities?user_id=u&action=a&entity_type=t&entity_id=i&from=2026-11-21T00:00:00Z'
    const { body } = await api.ask('GET', address, 'r')
    expect(body).toMatchObject({ data: [], next_cursor: null, meta: { source: 'raw' } })
    expect(body).not.toHaveProperty('summary')
    const filters = { userId: 'u', action: 'a', entityType: 't', entityId: 'i' }
    const request = { ...filters, from: new Date('2026-11-21T00:00:00Z'), to: undefined, limit: 0, cursor: '' }
    expect(api.calls).toEqual([['listActivities', request, forTenant]])
  })

  it('of the ledger returns its counts as JSON numbers', async () => {
    const { body } = await api.ask('GET', '/api/v1/ledger', 'r')
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
          expired: 0,
          in_flight: 0,
          lost: 0,
          balanced: true,
        },
      ],
    })
  })

  it('of a receipt is allowed with the key that wrote the events', async () => {
    const { body } = await api.ask('GET', `/v1/receipts/${TEST_RECEIPT}?wait_ms=500`, 'w')
    expect(body).toMatchObject({
      state: 'settled',
      accepted: 4,
      stored: 3,
      duplicate: 1,
      frames: [{ partition: 1, sequence: 2, records: 4, settled: true }],
    })
    expect(api.calls).toEqual([
      ['getReceipt', { receipt: TEST_RECEIPT, waitMs: 500 }, { tenant: '7', caller: 'k1', deadlineMs: 5500 }],
    ])
  })

  it.each([
    [`/v1/receipts/${TEST_RECEIPT}`, 'other', 404, 'RECEIPT_FOREIGN'],
    ['/v1/receipts/nonsense', 'w', 400, 'INVALID_REQUEST'],
  ])('of the receipt %s with the key %s is refused with status %s and code %s', async (path, scope, status, code) => {
    const answer = await api.ask('GET', path, scope)
    expect([answer.status, answer.body?.code, api.calls.length]).toEqual([status, code, 0])
  })
})

describe('the error of a peer service', () => {
  it('reaches the client with its code and status', async () => {
    api.fault = streamErrors.STREAM_UNAVAILABLE({ retryAfterSeconds: 4 })
    const answer = await api.ask('GET', '/api/v1/ledger')
    expect([answer.status, answer.body?.code, answer.headers.get('retry-after')]).toEqual([
      503,
      'STREAM_UNAVAILABLE',
      '4',
    ])
  })
})
