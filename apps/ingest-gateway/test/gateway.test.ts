import { once } from 'node:events'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CURSOR_LENGTH_MAX } from '@millrace/contracts'
import { createOpenApiDocument } from '@millrace/contracts/http'
import { migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, freePort, spawnService, startTestRedisServer, waitFor } from '@millrace/testing'

const event = { event: 'A', userId: 'u' }

describe('a running gateway', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let redis: Awaited<ReturnType<typeof startTestRedisServer>>
  let gateway: Awaited<ReturnType<typeof spawnService>>
  let port: number
  const origin = () => `http://127.0.0.1:${port}`

  beforeAll(async () => {
    database = await createTestDatabase({ migrate })
    redis = await startTestRedisServer()
    port = await freePort()
    gateway = await spawnService({
      app: 'ingest-gateway',
      env: {
        DATABASE_URL: database.url,
        STREAM_REDIS_URL: redis.url,
        HTTP_PORT: String(port),
        BOOTSTRAP_WRITE_KEY: 'mr_write_test',
        BOOTSTRAP_ADMIN_KEY: 'mr_admin_test',
        HTTP_HEADERS_TIMEOUT_MS: '3000',
        HTTP_REQUEST_TIMEOUT_MS: '5000',
        LOG_LEVEL: 'warn',
      },
    })
  })
  afterAll(async () => {
    await gateway?.stop()
    await redis?.stop()
    await database?.release()
  })

  async function send(key: string, body: unknown = event) {
    const response = await fetch(`${origin()}/v1/track`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    })
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      body: (await response.json()) as Record<string, unknown>,
    }
  }
  async function admin(method: string, path: string, body?: unknown) {
    const headers = { authorization: 'Bearer mr_admin_test', 'content-type': 'application/json' }
    const response = await fetch(`${origin()}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return (text === '' ? {} : JSON.parse(text)) as Record<string, string>
  }
  /** Sends raw bytes and returns what the server sends until the connection ends. */
  async function raw(bytes: string): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write(bytes)
    let answer = ''
    socket.on('data', (data) => (answer += data.toString()))
    await once(socket, 'close')
    return answer
  }

  it('accepts a key once it is created, its successor during the overlap, and neither after revocation', async () => {
    const first = await admin('POST', '/api/v1/keys', { name: 'shop', scopes: ['write'] })
    expect((await send(first.key as string)).status).toBe(200)
    const second = await admin('POST', `/api/v1/keys/${first.id}/rotate`, { overlap_seconds: 600 })
    expect([(await send(first.key as string)).status, (await send(second.key as string)).status]).toEqual([200, 200])
    for (const { id, key } of [first, second]) {
      await admin('DELETE', `/api/v1/keys/${id}`)
      await waitFor(async () => (await send(key as string)).status === 401)
    }
  })

  it.each<[string, string | Buffer, Record<string, string>]>([
    ['no JSON', '{"a":', {}],
    ['no gzip', 'x', { 'content-encoding': 'gzip' }],
    ['of an unknown encoding', '{}', { 'content-encoding': 'zstd' }],
    ['larger than any limit', Buffer.alloc(12_000_000, ' '), {}],
    ['a compressed bomb', gzipSync(Buffer.alloc(12_000_000)), { 'content-encoding': 'gzip' }],
  ])(
    'refuses an unknown, an expired and a revoked key on every path before it looks at a body that is %s',
    async (what, body, headers) => {
      const expired = `mr_expired ${what}`
      const revoked = `mr_revoked ${what}`
      const sql = openDatabase({ url: database.url, connectionLimit: 1 })
      await sql.query(
        `insert into api_keys (tenant_id, key_hash, key_hint, scopes, expires_at, revoked_at) values
          (1, sha256($1), '', '{admin}', now() - interval '1 minute', null), (1, sha256($2), '', '{admin}', null, now())`,
        [Buffer.from(expired), Buffer.from(revoked)],
      )
      await sql.close()
      const paths = Object.entries(createOpenApiDocument().paths as Record<string, Record<string, object>>)
        .filter(([, item]) => item.post !== undefined && 'x-scope' in item.post)
        .map(([path]) => path.replace('{id}', '1'))
        // log-shipper checks the keys of requests with log lines, which the gateway passes on unread.
        .filter((path) => !path.startsWith('/v1/logs'))
      expect(paths.length).toBeGreaterThan(20)
      for (const path of paths) {
        // The first answer needs a look-up; the second comes from the cache of refused keys.
        const unknown = `mr_unknown ${path} ${what}`
        for (const key of [unknown, unknown, expired, revoked]) {
          const authorization = `Basic ${Buffer.from(`${key}:`).toString('base64')}`
          const response = await fetch(`${origin()}${path}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...headers, authorization },
            body,
          })
          const { code } = (await response.json()) as { code: string }
          expect([path, key, response.status, code]).toEqual([path, key, 401, 'KEY_INVALID'])
        }
      }
    },
  )

  it('does not ask a client with an unknown key for its body', async () => {
    const head = (path: string, key: string) =>
      `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n`
    for (const path of ['/v1/track', '/api/v1/query/top']) {
      const refused = await raw(head(path, 'mr_nobody'))
      expect(refused).toMatch(/^HTTP\/1\.1 401 /)
      const socket = connect(port, '127.0.0.1')
      socket.write(head(path, 'mr_admin_test'))
      expect(String((await once(socket, 'data'))[0])).toMatch(/^HTTP\/1\.1 100 /)
      socket.write('{}')
      expect(String((await once(socket, 'data'))[0])).not.toMatch(/ 401 /)
      socket.destroy()
    }
  })

  it('limits each tenant to its own rate and says when to retry', async () => {
    const sql = openDatabase({ url: database.url, connectionLimit: 1 })
    await sql.query(`insert into tenants (name, settings) values ('small', '{"limits":{"ratePerSecond":1,"burst":3}}')`)
    await sql.query(
      `insert into api_keys (tenant_id, key_hash, key_hint, scopes) select id, sha256('mr_small'), '', '{write}' from tenants where name = 'small'`,
    )
    await sql.close()
    const answers = await Promise.all(Array.from({ length: 40 }, () => send('mr_small')))
    const refused = answers.find(({ status }) => status === 429)
    expect(refused?.body.code).toBe('RATE_LIMITED')
    expect(Number(refused?.retryAfter)).toBeGreaterThanOrEqual(1)
    expect((await send('mr_write_test')).status).toBe(200)
  })

  it('applies a changed rate limit of a tenant without waiting until its cached keys end', async () => {
    const sql = openDatabase({ url: database.url, connectionLimit: 1 })
    const setLimits = (limits: object) =>
      sql.query(`update tenants set settings = jsonb_build_object('limits', $1::jsonb) where name = 'changing'`, [
        JSON.stringify(limits),
      ])
    await sql.query(`insert into tenants (name) values ('changing')`)
    await sql.query(
      `insert into api_keys (tenant_id, key_hash, key_hint, scopes) select id, sha256('mr_changing'), '', '{write}' from tenants where name = 'changing'`,
    )
    expect((await send('mr_changing')).status).toBe(200)
    // A cached key alone would keep the old limit for 20 s.
    const soon = { deadlineMs: 10_000 }
    await setLimits({ ratePerSecond: 0 })
    await waitFor(async () => (await send('mr_changing')).status === 429, soon)
    expect((await send('mr_changing')).body.detail).toBe('the rate limit of the tenant is 0, so it may send nothing')
    await setLimits({ ratePerSecond: 1000, burst: 1000 })
    await waitFor(async () => (await send('mr_changing')).status === 200, soon)
    await sql.close()
  })

  it.each([
    ['two lengths', 'POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello', 400],
    [
      'a length and chunks',
      'POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['no host', 'POST /v1/track HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}', 400],
    ['endless headers', `POST /v1/track HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(30_000)}\r\n\r\n`, 431],
    ['headers that do not end', 'POST /v1/track HTTP/1.1\r\nHost: x\r\nX: y', 408],
    ['a body that does not come', 'POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe', 408],
  ])(
    'ends a request with %s, and says why in a form that web pages can read',
    async (_name, bytes, status) => {
      const answer = await raw(bytes)
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
      expect(answer).toMatch(/^Content-Type: application\/problem\+json/m)
      expect(answer).toMatch(/^Access-Control-Allow-Origin: \*\r$/m)
      expect(answer).toMatch(/^X-Content-Type-Options: nosniff\r$/m)
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ status, code: expect.any(String) })
    },
    40_000,
  )

  it('accepts the longest cursor in the URL of a request whose other headers are as large as allowed', async () => {
    const get = (cursor: string, size: number) =>
      raw(
        `GET /api/v1/events?cursor=${cursor} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ${'y'.repeat(size)}\r\n\r\n`,
      )
    // 401: it was read, and has no key.
    expect(await get('x'.repeat(CURSOR_LENGTH_MAX), 16_384 - 100)).toMatch(/^HTTP\/1\.1 401 /)
  })

  it('accepts events while the stream is down and appends them afterwards', async () => {
    const appendedRecords = async () => {
      const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
      return Number(/^millrace_stream_appended_records_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0)
    }
    const before = await appendedRecords()
    await redis.kill()
    const down = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        send('mr_write_test', { ...event, userId: `user-${i}`, messageId: `while-down-${i}` }),
      ),
    )
    expect(down.map(({ status }) => status)).toEqual(Array(20).fill(200))
    await redis.restart()
    await waitFor(async () => (await appendedRecords()) >= before + 20)
    expect((await send('mr_write_test')).status).toBe(200)
  })

  it('answers running requests after SIGTERM and writes its counts for the ledger', async () => {
    const running = Array.from({ length: 50 }, (_, i) =>
      send('mr_write_test', { ...event, userId: `last-${i}` }).catch((error: Error) => error),
    )
    const first = await Promise.race(running)
    expect(first).toMatchObject({ status: 200 })
    await gateway.stop()
    const answers = await Promise.all(running)
    const answered = answers.filter((answer) => !(answer instanceof Error) && answer.status === 200).length
    const sql = openDatabase({ url: database.url, connectionLimit: 1 })
    const { rows } = await sql.query<{ accepted: bigint }>(
      'select sum(accepted)::bigint as accepted from ledger_produced',
    )
    await sql.close()
    expect(answered).toBeGreaterThan(0)
    expect(Number(rows[0]?.accepted)).toBeGreaterThanOrEqual(answered)
  })
})
