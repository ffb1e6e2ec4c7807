import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { migrate } from '@millrace/database'
import { createTestDatabase, freePort, spawnService, startTestRedisServer, waitFor } from '@millrace/testing'
import { EventSource } from 'eventsource'

interface Ticket {
  readonly ticket: string
  readonly url: string
}

describe('tickets for the live streams of two gateways', () => {
  let database: Awaited<ReturnType<typeof createTestDatabase>>
  let redis: Awaited<ReturnType<typeof startTestRedisServer>>
  let cache: Awaited<ReturnType<typeof startTestRedisServer>>
  const gateways: { origin: string; process: Awaited<ReturnType<typeof spawnService>> }[] = []
  const issued: string[] = []

  beforeAll(async () => {
    database = await createTestDatabase({ migrate })
    redis = await startTestRedisServer()
    cache = await startTestRedisServer()
    for (let i = 0; i < 2; i++) {
      const port = await freePort()
      const env = {
        DATABASE_URL: database.url,
        STREAM_REDIS_URL: redis.url,
        CACHE_REDIS_URL: cache.url,
        HTTP_PORT: String(port),
        BOOTSTRAP_ADMIN_KEY: 'mr_admin_test',
        // Nothing listens there, so each stream ends at once and clients reconnect.
        STREAM_CONSUMER_ADDRESS: `127.0.0.1:${await freePort()}`,
        LIVE_TICKET_SECONDS: '6',
        LOG_LEVEL: 'debug',
        LOG_SAMPLE_PER_SECOND: '0',
      }
      gateways.push({ origin: `http://127.0.0.1:${port}`, process: await spawnService({ app: 'ingest-gateway', env }) })
    }
  })
  afterAll(async () => {
    for (const { process } of gateways) await process.stop()
    await cache?.stop()
    await redis?.stop()
    await database?.release()
  })

  const [first, second] = [0, 1].map((i) => (path: string) => `${gateways[i]?.origin}${path}`) as [Address, Address]
  type Address = (path: string) => string

  async function call(
    method: string,
    path: string,
    { key = 'mr_admin_test', body }: { key?: string; body?: object } = {},
  ) {
    const response = await fetch(first(path), {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, string> }
  }

  async function issue(key?: string): Promise<Ticket> {
    const { status, body } = await call('POST', '/api/v1/live/tickets', key === undefined ? {} : { key })
    expect([status, body.detail]).toEqual([201, undefined])
    issued.push(body.ticket as string)
    return body as unknown as Ticket
  }

  /** The status with which a stream begins. */
  async function statusOf(address: string): Promise<number> {
    const controller = new AbortController()
    const { status } = await fetch(address, { signal: controller.signal })
    controller.abort()
    return status
  }

  it('let an EventSource reconnect in another gateway until they expire, and then end it', async () => {
    const { url } = await issue()
    const source = new EventSource(second(url))
    let opened = 0
    let status: number | undefined
    source.addEventListener('open', () => opened++)
    source.addEventListener('error', (error) => {
      status = (error as { code?: number }).code ?? status
    })
    await waitFor(() => source.readyState === EventSource.CLOSED, { deadlineMs: 60_000 })
    expect(opened).toBeGreaterThanOrEqual(2)
    expect(status).toBe(403)
  })

  it('end at once in every gateway when the key that they were issued to is revoked', async () => {
    const { body } = await call('POST', '/api/v1/keys', { body: { name: 'page', scopes: ['read'] } })
    const { url } = await issue(body.key)
    expect([await statusOf(first(url)), await statusOf(second(url))]).toEqual([200, 200])
    expect((await call('DELETE', `/api/v1/keys/${body.id}`)).status).toBe(204)
    expect([await statusOf(first(url)), await statusOf(second(url))]).toEqual([403, 403])
  })

  it('cannot be issued and used while Redis is down, and can be afterwards', async () => {
    const { url } = await issue()
    await cache.kill()
    await waitFor(async () => (await call('POST', '/api/v1/live/tickets')).status === 503)
    await waitFor(async () => (await statusOf(second(url))) === 503)
    await cache.restart()
    await waitFor(async () => (await call('POST', '/api/v1/live/tickets')).status === 201)
  })

  it('appear in no log line, also when they are invalid or sent to another path', async () => {
    const { ticket } = await issue()
    for (const path of ['/api/v1/live', '/api/v1/events', '/nowhere', `/nowhere/${ticket}`, '/v1/track', '/docs'])
      await statusOf(first(`${path}?ticket=${ticket}`))
    await statusOf(first(`/api/v1/live?ticket=${ticket.slice(0, -1)}`))
    for (const { origin, process } of gateways) {
      await fetch(`${origin}/the-last-request`)
      const read = () => readFileSync(process.logFile, 'utf8')
      await waitFor(() => read().includes('GET /the-last-request'))
      for (const one of issued) expect(read()).not.toContain(one.slice('mr_live_'.length, -1))
    }
  })
})
