import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

describe('scopes', () => {
  const reads = [
    '/api/v1/events',
    '/api/v1/users/u/timeline',
    '/api/v1/sessions',
    '/api/v1/users/u/sessions',
    '/api/v1/activities',
    '/api/v1/query/top',
    '/api/v1/ledger',
    '/api/v1/rejections',
    '/api/v1/dead-letters',
    '/api/v1/live',
  ]
  it.each(reads.map((path) => [path] as const))('do not allow a write key to read %s', async (path) => {
    expect((await api.ask('GET', path, 'w')).status).toBe(403)
    expect((await api.ask('GET', path, 'nobody')).status).toBe(401)
    expect(api.calls).toEqual([])
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
    for (const scope of ['r', 'w']) expect((await api.ask(method, path, scope)).status).toBe(403)
    expect(api.calls).toEqual([])
  })
})
