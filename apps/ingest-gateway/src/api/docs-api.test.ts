import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { WatchLiveResponse } from '@millrace/contracts'
import { createOpenApiDocument } from '@millrace/contracts/http'
import { TEST_RECEIPT, TestApi } from '../testing/test-api.js'
import { createApiCors } from './api-cors.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

function isInFrontOfExpress(path: string): boolean {
  return /^\/(v1|pixel|beacon)\//.test(path) && !/^\/v1\/(receipts|projects)\//.test(path)
}

describe('the OpenAPI document', () => {
  it('describes exactly the routes that exist behind Express', async () => {
    expect((await api.ask('GET', '/openapi.json')).body).toEqual(JSON.parse(JSON.stringify(createOpenApiDocument())))
    for (const [path, item] of Object.entries(createOpenApiDocument().paths as Record<string, object>)) {
      if (isInFrontOfExpress(path)) continue
      for (const method of Object.keys(item)) {
        api.updates = counting()
        const url = path.replace('{receipt}', TEST_RECEIPT).replace('{id}', '5').replace('{key}', 'w')
        const { status } = await fetch(`${api.origin}${url}`, {
          method: method.toUpperCase(),
          headers: { authorization: 'Bearer w' },
        })
        expect([path, method, status]).not.toEqual([path, method, 404])
      }
    }
    async function* counting(): AsyncGenerator<WatchLiveResponse> {}
  })

  it('names every method of each path behind Express: all others get 405 with the methods, without a key too', async () => {
    const items = { ...createOpenApiDocument().paths, '/docs': { get: {} }, '/openapi.json': { get: {} } }
    for (const [path, item] of Object.entries(items as Record<string, object>)) {
      if (isInFrontOfExpress(path)) continue
      const url = `${api.origin}${path.replaceAll(/\{\w+\}/g, '5')}`
      const known = Object.keys(item).map((method) => method.toUpperCase())
      const allowed = [...known, ...(known.includes('GET') ? ['HEAD'] : [])].sort()
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((one) => !allowed.includes(one))) {
        const { status, headers } = await fetch(url, { method })
        const allow = headers.get('allow')?.split(', ').sort()
        expect([path, method, status, allow]).toEqual([path, method, 405, [...allowed, 'OPTIONS'].sort()])
      }
      const options = await fetch(url, { method: 'OPTIONS' })
      expect([path, options.status]).toEqual([path, 204])
    }
  })

  it('is also a page that loads nothing from elsewhere', async () => {
    const response = await fetch(`${api.origin}/docs`)
    const page = await response.text()
    expect(response.headers.get('content-security-policy')).toBe(
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    )
    expect(page).toContain('/api/v1/users/{id}/timeline')
    expect(page).not.toMatch(/<script|src=|https?:/i)
  })

  it('may be read by web pages of other origins', async () => {
    const response = await fetch(`${api.origin}/api/v1/ledger`, {
      method: 'OPTIONS',
      headers: { origin: 'https://x.example' },
    })
    expect([response.status, response.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
  })

  it('has CORS headers without an Origin too, because caches give responses to web pages later', async () => {
    const { headers } = await fetch(`${api.origin}/api/v1/query/uniques`, { headers: { authorization: 'Bearer r' } })
    expect(headers.get('access-control-allow-origin')).toBe('*')
    for (const name of ['ETag', 'Age', 'Date', 'Millrace-Meta'])
      expect(headers.get('access-control-expose-headers')?.split(', ')).toContain(name)
    const some: string[] = []
    createApiCors(['https://x.example']).append(some, undefined)
    expect(some).toEqual(['Vary', 'Origin'])
  })
})
