import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { rateLimitKey } from '@millrace/contracts'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestRedis, startTestRedisServer, type TestRedis, waitFor } from '@millrace/testing'
import fc from 'fast-check'
import { createRateLimiter } from './rate-limiter.js'
import { TokenBucket } from './token-bucket.js'

describe('the rate limiter', () => {
  let testRedis: TestRedis
  let redis: RedisConnection
  beforeAll(async () => {
    testRedis = await createTestRedis()
    redis = await openRedis({ url: testRedis.url, name: 'limits' }, { logger: silentLogger })
  })
  afterAll(async () => {
    await redis.close()
    await testRedis.release()
  })

  it('grants the tokens in the bucket and no more, and says when to retry', async () => {
    const limiter = createRateLimiter({ ratePerSecond: 0.001, burst: 10 }, { redis })
    for (let i = 0; i < 10; i++) expect(await limiter.take(1, 1)).toEqual({ ok: true })
    const refused = await limiter.take(1, 1)
    expect(refused).toEqual({ ok: false, retryAfterMs: expect.any(Number) })
    if (refused.ok) return
    expect(refused.retryAfterMs).toBeGreaterThan(900_000)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(1_000_000)
    expect(await limiter.take(2, 1)).toEqual({ ok: true })
  })

  it('grants several processes together no more than the bucket holds', async () => {
    const limiters = Array.from({ length: 4 }, () => createRateLimiter({ ratePerSecond: 0.001, burst: 100 }, { redis }))
    const decisions = await Promise.all(Array.from({ length: 400 }, async (_, i) => await limiters[i % 4]?.take(3, 1)))
    const granted = decisions.filter((decision) => decision?.ok).length
    expect(granted).toBeLessThanOrEqual(100)
    expect(granted).toBeGreaterThanOrEqual(90)
  })

  it('decides without a round trip to Redis while it has tokens taken in advance', async () => {
    const limiter = createRateLimiter({ ratePerSecond: 10_000, burst: 100_000 }, { redis })
    await limiter.take(4, 1)
    for (let i = 0; i < 100; i++) expect(limiter.take(4, 1)).toEqual({ ok: true })
  })

  it('grants a cost above the capacity when the bucket is full, and makes the tenant wait for the debt', async () => {
    const limiter = createRateLimiter({ ratePerSecond: 1, burst: 10 }, { redis })
    expect(await limiter.take(5, 1_000)).toEqual({ ok: true })
    const refused = await limiter.take(5, 1)
    expect(refused.ok ? 0 : refused.retryAfterMs).toBeGreaterThan(980_000)
  })

  it('grants tokens again after a while', async () => {
    const limiter = createRateLimiter({ ratePerSecond: 200, burst: 10 }, { redis })
    await limiter.take(6, 10)
    await waitFor(async () => (await limiter.take(6, 5)).ok)
  })

  it("uses the tenant's own limits, and does not limit at a rate of 0", async () => {
    const limiter = createRateLimiter({ ratePerSecond: 0, burst: 0 }, { redis })
    expect(limiter.take(7, 1e9)).toEqual({ ok: true })
    const limits = { ratePerSecond: 0.001, burst: 2 }
    expect(await limiter.take(8, 2, limits)).toEqual({ ok: true })
    expect(await limiter.take(8, 1, limits)).toMatchObject({ ok: false })
  })

  it('lets the key in Redis expire when the bucket is full again', async () => {
    const limiter = createRateLimiter({ ratePerSecond: 1_000, burst: 10 }, { redis })
    await limiter.take(9, 1)
    expect(await redis.client.pttl(rateLimitKey(9))).toBeGreaterThan(0)
  })

  it('grants its share of the limit while Redis is down, and shares the bucket again afterwards', async () => {
    const server = await startTestRedisServer()
    const connection = await openRedis({ url: server.url, name: 'limits-outage' }, { logger: silentLogger })
    let now = 0
    const limiter = createRateLimiter(
      { ratePerSecond: 1, burst: 100, localShare: 0.5 },
      { redis: connection, now: () => now },
    )
    expect(await limiter.take(1, 10)).toEqual({ ok: true })
    await server.kill()
    await waitFor(() => !connection.isReady)
    let granted = 0
    for (let i = 0; i < 200; i++) if ((await limiter.take(1, 1)).ok) granted++
    expect(granted).toBeGreaterThanOrEqual(50)
    expect(granted).toBeLessThanOrEqual(90)
    await server.restart()
    await waitFor(async () => {
      now += 1_001
      await limiter.take(1, 1)
      return connection.isReady && (await connection.client.exists(rateLimitKey(1))) === 1
    })
    await connection.close()
    await server.stop()
  })
})

describe('a token bucket', () => {
  it('never grants more than its capacity plus the inflow, and grants a cost after the announced wait', () => {
    const steps = fc.array(fc.record({ waitMs: fc.nat(3_000), cost: fc.integer({ min: 1, max: 20 }) }), {
      maxLength: 50,
    })
    fc.assert(
      fc.property(steps, (all) => {
        const bucket = new TokenBucket(20, 0)
        let now = 0
        let granted = 0
        for (const { waitMs, cost } of all) {
          now += waitMs
          const decision = bucket.take(cost, 10, 20, now)
          if (decision.ok) granted += cost
          else {
            expect(decision.retryAfterMs).toBeGreaterThan(0)
            now += decision.retryAfterMs
            expect(bucket.take(cost, 10, 20, now).ok).toBe(true)
            granted += cost
          }
          expect(granted).toBeLessThanOrEqual(20 + (now * 10) / 1000 + 1e-6)
        }
      }),
    )
  })
})
