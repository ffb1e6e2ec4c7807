import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { TestApi } from '../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

async function get(path: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${api.origin}${path}`, { headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, text, body: JSON.parse(text) }
}

describe('the settings that Segment’s SDKs load', () => {
  it('make the SDK send to the host that it asked, and load and report nothing else', async () => {
    const { status, headers, body } = await get('/v1/projects/w/settings', { origin: 'https://shop.example' })
    expect([status, headers.get('cache-control')]).toEqual([200, 'private, max-age=60'])
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(Object.keys(body.integrations)).toEqual(['Segment.io'])
    expect(body.integrations['Segment.io']).toMatchObject({
      apiKey: 'w',
      apiHost: `${new URL(api.origin).host}/v1`,
      protocol: 'http',
    })
    expect(body.metrics).toEqual({ sampleRate: 0 })
  })

  it('name the public address of the gateway if it is set', async () => {
    await api.close()
    api = await new TestApi({ HTTP_PUBLIC_URL: 'https://events.shop.example/in/' }).open()
    const { body } = await get('/v1/projects/w/settings/')
    expect(body.integrations['Segment.io']).toMatchObject({
      apiHost: 'events.shop.example/in/v1',
      protocol: 'https',
    })
  })

  it.each([
    ['nobody', 404, 'NOT_FOUND'],
    ['r', 403, 'SCOPE_MISSING'],
  ])('are not given for the key %s', async (key, status, code) => {
    const answer = await get(`/v1/projects/${key}/settings`)
    expect([answer.status, answer.body.code]).toEqual([status, code])
  })
})

describe('the source configuration that RudderStack’s SDKs load', () => {
  const basic = (key: string) => ({ authorization: `Bearer ${key}` })

  it.each([
    ['in the header', '/sourceConfig?p=android&v=1.0', basic('w')],
    ['in the URL', '/sourceConfig/?p=npm&v=3.34.1&writeKey=w', {}],
    ['in the header and another one in the URL', '/sourceConfig?writeKey=nobody', basic('w')],
  ])('names no destination, and reports nothing elsewhere, for a key %s', async (_name, path, headers) => {
    const { status, body } = await get(path, headers)
    expect(status).toBe(200)
    expect(body.source).toMatchObject({ id: 'k1', enabled: true, destinations: [], workspaceId: expect.any(String) })
    expect(body.source.config.statsCollection).toEqual({ errors: { enabled: false }, metrics: { enabled: false } })
  })

  it.each([
    ['no key', '/sourceConfig', {}, 401],
    ['an unknown key', '/sourceConfig?writeKey=nobody', {}, 401],
    ['a key that may only read', '/sourceConfig', basic('r'), 403],
  ])('is not given for %s', async (_name, path, headers, status) => {
    expect((await get(path, headers)).status).toBe(status)
  })

  it('may be asked for with HEAD, by which the SDK looks for ad blockers', async () => {
    const response = await fetch(`${api.origin}/sourceConfig/?view=ad`, { method: 'HEAD', headers: basic('w') })
    expect(response.status).toBe(200)
  })
})

describe('a client’s settings', () => {
  it('contain nothing of the tenant but the id of the key', async () => {
    for (const path of ['/v1/projects/w/settings', '/sourceConfig?writeKey=w']) {
      const { text } = await get(path)
      expect(text).not.toMatch(/tenant|"t"|scopes|limits/)
    }
  })
})
