import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestRedis, type TestRedis, waitFor } from '@millrace/testing'
import { LiveTickets } from './live-tickets.js'

describe('tickets for live streams', () => {
  let server: TestRedis
  let redis: RedisConnection
  beforeAll(async () => {
    server = await createTestRedis()
    redis = await openRedis({ url: server.url, name: 'tickets' }, { logger: silentLogger })
  })
  afterAll(async () => {
    await redis?.close()
    await server?.release()
  })
  const open = (lifetimeMs: number) => new LiveTickets({ lifetimeMs }, { redis, now: () => 1000 })
  const holder = { keyId: '5', tenantId: 7 }

  it('stand for their holder in every gateway, any number of times, and hold nothing but key and tenant', async () => {
    const principal = { ...holder, tenantName: 't', scopes: ['read' as const, 'admin' as const], limits: {} }
    const { ticket, expiresAt } = await open(60_000).issue(principal)
    expect(expiresAt).toEqual(new Date(61_000))
    for (let i = 0; i < 3; i++) expect(await open(60_000).find(ticket)).toEqual(holder)
  })

  it('end with their lifetime', async () => {
    const { ticket } = await open(1500).issue(holder)
    expect(await open(1500).find(ticket)).toEqual(holder)
    await waitFor(async () => (await open(1500).find(ticket)) === undefined)
  })

  it('are all different and cannot be read from Redis', async () => {
    const issued = await Promise.all(Array.from({ length: 100 }, () => open(60_000).issue(holder)))
    expect(new Set(issued.map(({ ticket }) => ticket)).size).toBe(100)
    const keys = (await redis.client.keys('*')).join()
    for (const { ticket } of issued) expect(keys).not.toContain(ticket.slice('mr_live_'.length))
  })

  it.each(['', 'mr_live_', 'mr_admin_dev', `mr_live_${'x'.repeat(32)}`, '*', '../..', 'x'.repeat(10_000), '\0'])(
    'are not found for the text %j',
    async (text) => {
      expect(await open(60_000).find(text)).toBeUndefined()
    },
  )
})
