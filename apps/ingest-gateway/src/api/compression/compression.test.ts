import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { WatchLiveResponse } from '@millrace/contracts'
import { TestApi } from '../../testing/test-api.js'

let api: TestApi

beforeEach(async () => {
  api = await new TestApi().open()
})

afterEach(() => api.close())

/** fetch decompresses by itself, so this sends the request by node:http. */
async function ask(path: string, options: { accept?: string; method?: string; key?: string; body?: string } = {}) {
  const { accept, method = 'GET', key = 'a', body } = options
  const sent = request(`${api.origin}${path}`, {
    method,
    agent: false,
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      ...(accept !== undefined && { 'accept-encoding': accept }),
    },
  }).end(body)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  const bytes = Buffer.concat(await response.toArray())
  const encoding = response.headers['content-encoding']
  const isEmpty = bytes.length === 0
  const plain =
    encoding === undefined || isEmpty ? bytes : encoding === 'br' ? brotliDecompressSync(bytes) : gunzipSync(bytes)
  return { status: response.statusCode, headers: response.headers, encoding, size: bytes.length, text: String(plain) }
}

const LARGE = '/api/v1/query/uniques?event=Large'
const SMALL = '/api/v1/query/uniques?event=Small'

describe('a response', () => {
  const accepts: [string | undefined, string | undefined][] = [
    [undefined, undefined],
    ['', undefined],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['GZIP', 'gzip'],
    ['br;q=0.5, gzip', 'gzip'],
    ['br;q=0, gzip;q=0, *', undefined],
    ['gzip;q=0, *', 'br'],
    ['identity, br;q=0.2', undefined],
    ['identity;q=0, gzip', 'gzip'],
    ['identity;q=0', undefined],
    ['deflate, zstd', undefined],
    ['*', 'br'],
  ]
  for (const [name, path] of [
    ['with a large query answer', LARGE],
    ['with a large document', '/openapi.json'],
    ['with a page', '/docs'],
  ] as const) {
    it.each(accepts)(
      `${name} to Accept-Encoding "%s" has the encoding %s and the same content`,
      async (accept, expected) => {
        const plain = await ask(path)
        const answer = await ask(path, accept === undefined ? {} : { accept })
        expect([answer.status, answer.encoding]).toEqual([200, expected])
        expect(withoutTime(answer.text)).toEqual(withoutTime(plain.text))
        expect(answer.headers.vary).toContain('Accept-Encoding')
        if (expected !== undefined) expect(answer.size).toBeLessThan(plain.size / 2)
      },
    )
  }

  it('with a small answer is not compressed, unless the client rules out everything else', async () => {
    for (const path of [SMALL, '/api/v1/ledger']) {
      expect((await ask(path, { accept: 'gzip, br' })).encoding).toBeUndefined()
      expect((await ask(path, { accept: 'identity;q=0, gzip' })).encoding).toBe('gzip')
    }
  })

  it('with a query answer to POST and to HEAD has the encoding that GET has', async () => {
    const posted = await ask('/api/v1/query/uniques', { method: 'POST', accept: 'br', body: '{"event":"Large"}' })
    expect([posted.status, posted.encoding]).toEqual([200, 'br'])
    const head = await ask(LARGE, { method: 'HEAD', accept: 'br' })
    expect([head.encoding, head.size]).toEqual(['br', 0])
  })

  it('has the same weak ETag in every encoding, so that a client gets 304 whichever one it has', async () => {
    const tags = await Promise.all(
      ['br', 'gzip', ''].map(async (accept) => (await ask(LARGE, { accept })).headers.etag),
    )
    expect(new Set(tags).size).toBe(1)
    expect(tags[0]).toMatch(/^W\//)
  })

  it('that contains a new key is never compressed', async () => {
    for (const path of ['/api/v1/keys', '/api/v1/keys/3/rotate']) {
      const body = path.endsWith('keys') ? '{"scopes":["write"]}' : '{}'
      const made = await ask(path, { method: 'POST', body, accept: 'identity;q=0, gzip, br' })
      expect([made.status, made.encoding]).toEqual([201, undefined])
    }
  })

  it('that streams events is never compressed, so that each event arrives at once', async () => {
    api.updates = (async function* (): AsyncGenerator<WatchLiveResponse> {})()
    const live = await ask('/api/v1/live', { accept: 'identity;q=0, br' })
    expect([live.encoding, live.headers['content-type']]).toEqual([undefined, expect.stringContaining('event-stream')])
  })
})

function withoutTime(text: string): string {
  return text.replace(/"took_ms":[\d.]+/, '')
}
