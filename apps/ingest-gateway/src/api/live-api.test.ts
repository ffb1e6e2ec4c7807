import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { WatchLiveResponse } from '@millrace/contracts'
import { streamErrors } from '@millrace/streams'
import { TestApi } from '../testing/test-api.js'

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
