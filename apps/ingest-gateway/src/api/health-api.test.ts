import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { streamErrors } from '@millrace/streams'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

describe('health', () => {
  it.each([
    ['/api/health', 'summary'],
    ['/api/system/health', 'system'],
    ['/api/health/detailed', 'detailed'],
  ])('at %s is the answer of health-aggregator for level %s', async (path, level) => {
    expect((await api.ask('GET', path)).body).toEqual({ status: 'healthy' })
    expect(api.calls[0]?.slice(0, 2)).toEqual(['getHealth', { level }])
  })

  it('is answered with 503 by the gateway itself when health-aggregator is down', async () => {
    api.fault = streamErrors.STREAM_UNAVAILABLE()
    expect(await api.ask('GET', '/api/health', 'nobody')).toMatchObject({
      status: 503,
      body: { status: 'degraded', services: { health_aggregator: { status: 'unhealthy' } } },
    })
  })
})
