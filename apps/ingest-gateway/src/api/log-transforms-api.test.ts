import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

const PATH = '/api/v1/logs/transforms'
const rules = { rules: [{ name: 'r', steps: [{ drop: true }] }] }
let api: TestApi

async function put(headers: Record<string, string>): Promise<Response> {
  return await fetch(`${api.origin}${PATH}`, {
    method: 'PUT',
    headers: { authorization: 'Bearer a', 'content-type': 'application/json', ...headers },
    body: JSON.stringify(rules),
  })
}

describe('the API of the rules for log lines', () => {
  beforeAll(async () => {
    api = await new TestApi().open()
  })
  afterAll(() => api.close())
  beforeEach(() => {
    api.calls.length = 0
  })

  it('answers a PUT with the version that was stored and its ETag, and passes the version of If-Match on', async () => {
    const response = await put({ 'if-match': '"2"' })
    expect([response.status, response.headers.get('etag')]).toEqual([200, '"3"'])
    expect(await response.json()).toEqual({
      version: 3,
      created_at: '1970-01-01T00:00:00.000Z',
      created_by: 'k1',
      rules: [],
      versions: [],
    })
    expect(api.calls.map(([name, request]) => [name, request])).toEqual([
      ['putTransforms', { rulesJson: JSON.stringify(rules), expectedVersion: 2 }],
      ['getTransforms', { version: 4 }],
    ])
  })

  it('replaces any version without If-Match, and refuses an If-Match that is no version', async () => {
    await put({})
    expect(api.calls[0]?.[1]).toMatchObject({ expectedVersion: undefined })
    const refused = await put({ 'if-match': '"abc"' })
    expect([refused.status, ((await refused.json()) as { details: unknown }).details]).toEqual([
      400,
      { field: 'if-match' },
    ])
  })

  it('lets keys with the scope read see and try rules, and only keys with the scope admin replace them', async () => {
    const headers = { authorization: 'Bearer r', 'content-type': 'application/json' }
    expect((await fetch(`${api.origin}${PATH}`, { headers })).status).toBe(200)
    const trial = await fetch(`${api.origin}${PATH}/try`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ lines: ['a'] }),
    })
    expect([trial.status, await trial.json()]).toEqual([200, { data: [{ outcome: 'kept' }], left_out: 0 }])
    expect((await put({ authorization: 'Bearer r' })).status).toBe(403)
  })

  it('refuses a trial without lines', async () => {
    const headers = { authorization: 'Bearer r', 'content-type': 'application/json' }
    const refused = await fetch(`${api.origin}${PATH}/try`, { method: 'POST', headers, body: '{}' })
    expect([refused.status, ((await refused.json()) as { details: unknown }).details]).toEqual([
      400,
      { field: 'lines' },
    ])
  })
})
