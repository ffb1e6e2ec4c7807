import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { migrate } from '@millrace/database'
import { createTestDatabase, freePort, spawnService, startTestRedisServer, waitFor } from '@millrace/testing'

interface Kept {
  readonly code: string
  readonly [name: string]: unknown
}

describe('the list of rejections of two gateways', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let stream: Awaited<ReturnType<typeof startTestRedisServer>>
  let cache: Awaited<ReturnType<typeof startTestRedisServer>>
  const gateways: { port: number; process: Awaited<ReturnType<typeof spawnService>> }[] = []

  beforeAll(async () => {
    database = await createTestDatabase({ migrate })
    stream = await startTestRedisServer()
    cache = await startTestRedisServer()
    for (let i = 0; i < 2; i++) {
      const port = await freePort()
      const env = {
        DATABASE_URL: database.url,
        STREAM_REDIS_URL: stream.url,
        CACHE_REDIS_URL: cache.url,
        HTTP_PORT: String(port),
        BOOTSTRAP_WRITE_KEY: 'mr_write_test',
        BOOTSTRAP_ADMIN_KEY: 'mr_admin_test',
        LOG_MASK_FIELDS: 'iban',
        LOG_LEVEL: 'warn',
      }
      gateways.push({ port, process: await spawnService({ app: 'ingest-gateway', env }) })
    }
  })
  afterAll(async () => {
    for (const { process } of gateways) await process.stop()
    await cache?.stop()
    await stream?.stop()
    await database?.release()
  })

  const origin = (gateway: number) => `http://127.0.0.1:${gateways[gateway]?.port}`

  async function send(gateway: number, path: string, body: unknown, headers: Record<string, string> = {}) {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body)
    const response = await fetch(`${origin(gateway)}${path}`, {
      method: 'POST',
      headers: { authorization: 'Bearer mr_write_test', 'user-agent': 'test/1', ...headers },
      body: text,
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  async function list(query = '', gateway = 0, key = 'mr_admin_test') {
    const response = await fetch(`${origin(gateway)}/api/v1/rejections${query}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    const body = (await response.json()) as { data: Kept[]; next_cursor: string | null; code?: string }
    return { status: response.status, retryAfter: response.headers.get('retry-after'), ...body }
  }

  async function find(code: string, isWanted: (kept: Kept) => boolean = () => true): Promise<Kept> {
    let found: Kept | undefined
    await waitFor(async () => {
      found = (await list(`?code=${code}`)).data.find(isWanted)
      return found !== undefined
    })
    return found as Kept
  }

  it('shows a rejected event of either gateway in both, with its reason and masked', async () => {
    const library = { name: 'analytics-node', version: '2.3.0' }
    const body = {
      context: { library },
      batch: [
        { type: 'track', event: 'A', userId: 'u' },
        { type: 'track', event: 'B', messageId: 'm1', properties: { mail: 'bob@example.com', iban: 'DE89' } },
      ],
    }
    expect((await send(1, '/v1/batch', body)).body.accepted).toBe(1)
    const kept = await find('missing_user')
    expect(kept).toMatchObject({
      scope: 'event',
      wire: 'segment',
      path: '/v1/batch',
      reason: 'an event must have a userId or an anonymousId',
      index: 1,
      message_id: 'm1',
      type: 'track',
      event: 'B',
      user_id: null,
      library: 'analytics-node 2.3.0',
      user_agent: 'test/1',
      excerpt: '{"type":"track","event":"B","messageId":"m1","properties":{"mail":"[email]","iban":"[masked]"}}',
    })
    expect((await list('?code=missing_user', 1)).data).toEqual([kept])
  })

  it('shows an event that is too large, an event of another wire, and a line that is no JSON', async () => {
    const large = { event: 'Large', userId: 'u', properties: { text: 'x'.repeat(1_100_000) } }
    await send(0, '/v1/events', [large])
    expect(await find('event_too_large')).toMatchObject({ wire: 'native', event: 'Large', user_id: 'u', index: 0 })
    const cloud = { specversion: '1.0', id: '7', source: '/x', type: 'com.x', data_base64: 5 }
    await send(0, '/v1/cloudevents', cloud, { 'content-type': 'application/cloudevents+json' })
    expect(await find('invalid_properties')).toMatchObject({ wire: 'cloudevents', event: 'com.x', type: null })
    await send(0, '/v1/events', '{"event":', { 'content-type': 'application/x-ndjson' })
    expect(await find('malformed_json')).toMatchObject({ index: 0, event: null, excerpt: '{"event":' })
  })

  it.each<[string, string, string | Buffer, Record<string, string>, string | null]>([
    ['no JSON', 'MALFORMED_BODY', '{"password":"x', {}, '{"password":"[masked]'],
    ['no UTF-8', 'INVALID_UTF8', Buffer.from([0x22, 0xff, 0x22]), {}, '"\ufffd"'],
    ['no batch', 'INVALID_REQUEST', '{"a":1}', {}, '{"a":1}'],
    ['an unknown compression', 'UNSUPPORTED_ENCODING', 'x', { 'content-encoding': 'zstd' }, null],
    ['a broken compression', 'CORRUPT_ENCODING', 'x', { 'content-encoding': 'gzip' }, null],
    ['a large body', 'BODY_TOO_LARGE', gzipSync(' '.repeat(30_000_000)), { 'content-encoding': 'gzip' }, null],
    ['a read key', 'SCOPE_MISSING', '{}', { authorization: 'Bearer READ' }, null],
  ])('shows a request that was refused because of %s', async (_name, code, body, headers, excerpt) => {
    const admin = { authorization: 'Bearer mr_admin_test', 'content-type': 'application/json' }
    const created = await fetch(`${origin(0)}/api/v1/keys`, {
      method: 'POST',
      headers: admin,
      body: JSON.stringify({ name: code, scopes: ['read'] }),
    })
    const { key } = (await created.json()) as { key: string }
    const isRead = headers.authorization === 'Bearer READ'
    await send(1, '/v1/batch', body, isRead ? { authorization: `Bearer ${key}` } : headers)
    expect(await find(code)).toMatchObject({
      scope: 'request',
      wire: 'segment',
      path: '/v1/batch',
      index: null,
      excerpt,
    })
  })

  it('does not contain requests with unknown keys, which are counted alone', async () => {
    expect((await send(0, '/v1/track', '{', { authorization: 'Bearer nobody' })).status).toBe(401)
    const metrics = async () => await (await fetch(`${gateways[0]?.process.adminUrl}/metrics`)).text()
    await waitFor(async () => /refused_requests_total\{[^}]*code="KEY_INVALID"[^}]*\} [1-9]/.test(await metrics()))
    expect((await list()).data.filter(({ path }) => path === '/v1/track')).toEqual([])
  })

  it('is bounded in a flood, counts what it leaves out, and shows other codes beside it', async () => {
    const flood = { batch: Array.from({ length: 5000 }, () => ({ type: 'group', userId: 'u' })) }
    for (let i = 0; i < 4; i++) expect((await send(0, '/v1/batch', flood)).status).toBe(200)
    await send(0, '/v1/track', { event: 'After', userId: 'u', timestamp: 'never' })
    await find('invalid_timestamp', ({ event }) => event === 'After')
    const { data } = await list('?code=missing_group_id&limit=1000')
    expect(data.length).toBeGreaterThanOrEqual(100)
    expect(data.length).toBeLessThan(200)
    await waitFor(async () => {
      await send(0, '/v1/group', { userId: 'u' })
      const kept = (await list('?code=missing_group_id&limit=1000')).data
      return kept.reduce((sum, { omitted }) => sum + 1 + Number(omitted), 0) > 20_000
    })
  })

  it('can be read with read and admin keys alone, page by page, and names an unknown code', async () => {
    expect((await list('', 0, 'mr_write_test')).status).toBe(403)
    const first = await list('?limit=1')
    const second = await list(`?limit=1&cursor=${first.next_cursor}`, 1)
    expect([first.data.length, second.data.length]).toEqual([1, 1])
    expect(second.data).not.toEqual(first.data)
    expect(await list('?code=Missing_User')).toMatchObject({ status: 400, code: 'INVALID_REQUEST' })
    expect((await list(`?since=${new Date(Date.now() + 60_000).toISOString()}`)).data).toEqual([])
  })

  it('survives the restart of a gateway', async () => {
    const before = (await list('?limit=1000')).data
    await gateways[0]?.process.kill()
    await gateways[0]?.process.restart()
    expect((await list('?limit=1000')).data).toEqual(expect.arrayContaining(before))
  })

  it('is unavailable while its Redis is frozen or down, and events are accepted all the same', async () => {
    const good = { event: 'Good', userId: 'u' }
    await cache.pause()
    for (let i = 0; i < 50; i++) {
      const answer = await send(1, '/v1/batch', { batch: [good, { event: 'Bad' }] })
      expect([answer.status, answer.body.accepted]).toEqual([200, 1])
    }
    await cache.resume()
    await cache.kill()
    await waitFor(async () => {
      const { status, retryAfter } = await list('', 1)
      return status === 503 && Number(retryAfter) > 0
    })
    const answer = await send(1, '/v1/batch', { batch: [good, { event: 'Bad' }] })
    expect([answer.status, answer.body.accepted]).toEqual([200, 1])
    await cache.restart()
    await waitFor(async () => {
      await send(1, '/v1/track', { event: 'Bad again' })
      return (await list('', 1)).data?.some(({ event }) => event === 'Bad again') === true
    })
  })
})
