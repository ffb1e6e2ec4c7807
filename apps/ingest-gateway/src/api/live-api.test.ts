import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { WatchLiveResponse } from '@millrace/contracts'
import { streamErrors } from '@millrace/streams'
import { TEST_TICKET, TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

describe('the live stream', () => {
  async function* counting(): AsyncGenerator<WatchLiveResponse> {
    for (let i = 0n; i < 2n; i++) yield { time: new Date(0), events: i, byEvent: { A: i }, watermark: undefined }
    if (api.fault !== undefined) throw api.fault
  }

  it('sends one event for each update, and a problem when its source fails', async () => {
    api.updates = counting()
    api.fault = streamErrors.STREAM_UNAVAILABLE()
    const response = await fetch(`${api.origin}/api/v1/live`, { headers: { authorization: 'Bearer r' } })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const text = await response.text()
    expect(text).toContain(
      'event: counts\ndata: {"time":"1970-01-01T00:00:00.000Z","events":1,"by_event":{"A":1},"watermark":null}\n\n',
    )
    expect(text).toMatch(/event: problem\ndata: \{.*STREAM_UNAVAILABLE.*\}\n\n$/)
  })

  it('sends its headers to HEAD and nothing more, and asks nobody for updates', async () => {
    const response = await fetch(`${api.origin}/api/v1/live`, {
      method: 'HEAD',
      headers: { authorization: 'Bearer r' },
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    expect(await response.text()).toBe('')
    expect(api.calls).toEqual([])
  })

  const withTicket = (ticket: string, headers: Record<string, string> = {}) =>
    fetch(`${api.origin}/api/v1/live?ticket=${ticket}`, { headers })

  it('is opened by a ticket in the URL without a key, for the tenant of the ticket', async () => {
    api.updates = counting()
    const response = await withTicket(TEST_TICKET, { origin: 'https://page.example' })
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('event: counts')])
    expect(api.calls).toEqual([['watchLive', {}, expect.objectContaining({ tenant: '7', caller: 'k1' })]])
    const { headers } = response
    expect([headers.get('cache-control'), headers.get('referrer-policy')]).toEqual(['no-store', 'no-referrer'])
    expect(headers.get('access-control-allow-origin')).toBe('*')
  })

  it('is refused for an unknown or expired ticket without the dialog that a 401 opens in browsers', async () => {
    const response = await withTicket('expired')
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([403, 'LIVE_TICKET_INVALID'])
    expect(response.headers.get('www-authenticate')).toBeNull()
    expect((await withTicket(`${TEST_TICKET}&ticket=${TEST_TICKET}`)).status).toBe(403)
    expect((await withTicket('')).status).toBe(403)
  })

  it('is refused when the key of the ticket is no longer valid', async () => {
    api.isKeyValid = false
    expect((await withTicket(TEST_TICKET)).status).toBe(403)
    expect(api.calls).toEqual([])
  })

  it('is refused when a request has both a key and a ticket', async () => {
    const response = await withTicket(TEST_TICKET, { authorization: 'Bearer r' })
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'INVALID_REQUEST' }),
    ])
  })

  it('is the only route that takes a ticket', async () => {
    for (const path of ['/api/v1/events', '/api/v1/rejections', '/api/v1/query/uniques', '/api/v1/live/tickets'])
      expect((await fetch(`${api.origin}${path}?ticket=${TEST_TICKET}`)).status).not.toBe(200)
  })

  it('ends when the service stops, and is refused above the maximum number', async () => {
    api.updates = {
      async *[Symbol.asyncIterator]() {
        yield { time: new Date(0), events: 1n, byEvent: {}, watermark: undefined }
        await once(api.stopping.signal, 'abort')
      },
    }
    const first = await fetch(`${api.origin}/api/v1/live`, { headers: { authorization: 'Bearer r' } })
    const second = await api.ask('GET', '/api/v1/live', 'r')
    expect([second.status, second.headers.get('retry-after')]).toEqual([503, '10'])
    api.stopping.abort()
    expect(await first.text()).toContain('event: counts')
  })
})

describe('the live stream of log lines', () => {
  async function* lines() {
    yield { linesJson: ['{"message":"a"}'], dropped: 2n, hasGap: false, position: '0=1-0' }
  }

  it('sends lines with an id from which a client continues, opened by a key or by a ticket', async () => {
    api.lineUpdates = lines()
    const response = await fetch(`${api.origin}/api/v1/logs/live?ticket=${TEST_TICKET}&q=pay&level=error`, {
      headers: { 'last-event-id': '0=0-0' },
    })
    expect(await response.text()).toContain(
      'event: lines\nid: 0=1-0\ndata: {"lines":[{"message":"a"}],"dropped":2,"has_gap":false}\n\n',
    )
    expect(api.calls).toEqual([
      [
        'watchLogs',
        expect.objectContaining({
          position: '0=0-0',
          conditions: expect.objectContaining({ query: 'pay', levels: ['error'] }),
        }),
        expect.objectContaining({ tenant: '7', caller: 'k1' }),
      ],
    ])
  })

  it('refuses a parameter that is not valid as a problem, before the stream begins', async () => {
    const { status, body } = await api.ask('GET', '/api/v1/logs/live?from=yesterday', 'r')
    expect([status, body?.code]).toEqual([400, 'INVALID_REQUEST'])
    expect((await api.ask('GET', '/api/v1/logs/live', 'w')).status).toBe(403)
  })
})

describe('a ticket for live streams', () => {
  it('is issued to a read key, with the address that it opens, and is kept by no cache', async () => {
    const { status, headers, body } = await api.ask('POST', '/api/v1/live/tickets', 'r')
    expect(status).toBe(201)
    expect(body).toEqual({
      ticket: TEST_TICKET,
      expires_at: '1970-01-01T00:01:00.000Z',
      url: `/api/v1/live?ticket=${TEST_TICKET}`,
    })
    expect(headers.get('cache-control')).toBe('no-store')
    expect(api.calls).toEqual([['issueTicket', expect.objectContaining({ tenantId: 7, keyId: 'k1' })]])
  })

  it.each([
    ['w', 403],
    ['nobody', 401],
  ])('is not issued to the key %s', async (key, status) => {
    expect((await api.ask('POST', '/api/v1/live/tickets', key)).status).toBe(status)
  })

  it('is refused while the tenant exceeds its rate limit', async () => {
    api.decision = { ok: false, retryAfterMs: 2500 }
    const { status, headers, body } = await api.ask('POST', '/api/v1/live/tickets', 'r')
    expect([status, body?.code, headers.get('retry-after')]).toEqual([429, 'RATE_LIMITED', '3'])
    expect(api.calls).toEqual([])
  })
})
