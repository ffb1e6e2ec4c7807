import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import { createTestDatabase, createTestRedis, type TestDatabase, type TestRedis, waitFor } from '@millrace/testing'
import { KeyManager } from '../keys/key-manager.js'
import { createKeyVerifier, type KeyVerifier } from '../keys/key-verifier.js'
import { createLimitChanges } from './limit-changes.js'
import { createRateLimiter } from './rate-limiter.js'
import { parseTenantLimits } from './tenant-limits.js'

/** One gateway: its cache of keys, its leased tokens, and what it knows about changed limits. Its clock does not end any cached key. */
interface Gateway {
  readonly verifier: KeyVerifier
  readonly readChanges: () => Promise<void>
  /** Whether an event of the tenant is accepted. */
  send(cost?: number): Promise<boolean>
}

describe('a changed rate limit', () => {
  let testDatabase: TestDatabase
  let testRedis: TestRedis
  let database: Database
  let redis: RedisConnection
  let tenantId: number
  let key: string
  let gateways: Gateway[]
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    redis = await openRedis({ url: testRedis.url, name: 'limits' }, { logger: silentLogger })
  })
  afterAll(async () => {
    await redis.close()
    await database.close()
    await testRedis.release()
    await testDatabase.release()
  })

  let tenants = 0
  beforeEach(async () => {
    const manager = new KeyManager({ database, actor: 'test' })
    tenantId = await manager.createTenant(`tenant ${++tenants}`)
    key = (await manager.create({ tenantId, name: '', scopes: ['write'] })).key
    gateways = [await openGateway(), await openGateway()]
  })

  async function openGateway(): Promise<Gateway> {
    const verifier = createKeyVerifier({}, { database, now: () => 0 })
    const limiter = createRateLimiter({ ratePerSecond: 1_000_000, burst: 1_000_000 }, { redis })
    const readChanges = createLimitChanges({
      database,
      changed: (id, limits) => {
        verifier.changeLimits(id, limits)
        limiter.change(id, limits)
      },
    })
    await readChanges()
    const send = async (cost = 1) => {
      const { limits } = await verifier.verifyKey(key)
      return (await limiter.take(tenantId, cost, limits)).ok
    }
    return { verifier, readChanges, send }
  }

  const setLimits = (limits: unknown) =>
    database.query(`update tenants set settings = jsonb_build_object('limits', $2::jsonb) where id = $1`, [
      tenantId,
      JSON.stringify(limits),
    ])
  const readAll = () => Promise.all(gateways.map(({ readChanges }) => readChanges()))
  /** How many of many events all gateways together accept. */
  async function countAccepted(events = 200): Promise<number> {
    const answers = Array.from({ length: events }, (_, i) => (gateways[i % gateways.length] as Gateway).send())
    return (await Promise.all(answers)).filter((isAccepted) => isAccepted).length
  }

  it('ends the tokens that every gateway took in advance, and the limits in its cached keys', async () => {
    expect(await countAccepted()).toBe(200)
    await setLimits({ ratePerSecond: 0.001, burst: 3 })
    await readAll()
    expect(await countAccepted()).toBeLessThanOrEqual(3)
  })

  it('blocks the tenant when it is 0, however it is written', async () => {
    for (const rate of [0, '0', -5]) {
      await setLimits({ ratePerSecond: 1000, burst: 1000 })
      await readAll()
      await waitFor(async () => (await countAccepted(2)) === 2)
      await setLimits({ ratePerSecond: rate, burst: 1000 })
      await readAll()
      expect(await countAccepted()).toBe(0)
    }
  })

  it('lets a tenant that was blocked or had to wait send again once it is raised', async () => {
    await setLimits({ ratePerSecond: 0.001, burst: 1 })
    await readAll()
    await countAccepted()
    expect(await countAccepted()).toBe(0)
    await setLimits({ ratePerSecond: 100_000, burst: 100_000 })
    await readAll()
    await waitFor(async () => (await countAccepted()) === 200)
    await setLimits({ ratePerSecond: 0 })
    await readAll()
    expect(await countAccepted()).toBe(0)
    await database.query(`update tenants set settings = '{}' where id = $1`, [tenantId])
    await readAll()
    await waitFor(async () => (await countAccepted()) === 200)
  })

  it('is not undone by a request that began before it', async () => {
    const [gateway] = gateways as [Gateway]
    const { limits } = await gateway.verifier.verifyKey(key)
    const limiter = createRateLimiter({ ratePerSecond: 1_000_000, burst: 1_000_000 }, { redis })
    expect((await limiter.take(tenantId, 1, limits)).ok).toBe(true)
    limiter.change(tenantId, { ratePerSecond: 0, version: (limits.version as number) + 1 })
    expect((await limiter.take(tenantId, 1, limits)).ok).toBe(false)
  })

  it('ends the tokens of a request to Redis that is still under way', async () => {
    const limiter = createRateLimiter({ ratePerSecond: 1_000_000, burst: 1_000_000 }, { redis })
    const limits = { ratePerSecond: 0.001, burst: 1, version: 2 }
    const takes = [limiter.take(tenantId, 1, { version: 1 })]
    limiter.change(tenantId, limits)
    await takes[0]
    for (let i = 0; i < 10; i++) takes.push(limiter.take(tenantId, 1, limits))
    expect((await Promise.all(takes.map((take) => Promise.resolve(take)))).filter(({ ok }) => ok)).toHaveLength(1)
  })

  it('applies to keys that were cached before, although the tenant took no tokens yet', async () => {
    for (const { verifier } of gateways) await verifier.verifyKey(key)
    await setLimits({ ratePerSecond: 0 })
    await readAll()
    expect(await countAccepted()).toBe(0)
  })

  it('is reported although the transaction that made it began first and committed last', async () => {
    const bursts = new Map<number, number | undefined>()
    const readChanges = createLimitChanges({ database, changed: (id, { burst }) => bursts.set(id, burst) })
    await readChanges()
    const other = await new KeyManager({ database, actor: 'test' }).createTenant(`tenant ${++tenants}`)
    await database.transaction(async (transaction) => {
      await transaction.query(`update tenants set settings = '{"limits":{"burst":1}}' where id = $1`, [tenantId])
      await database.query(`update tenants set settings = '{"limits":{"burst":1}}' where id = $1`, [other])
      await readChanges()
      expect(bursts.get(other)).toBe(1)
      // The tenant itself may be reported with its old limits: an open transaction of any other database of the server keeps the bound low.
      expect(bursts.get(tenantId)).toBeUndefined()
    })
    await readChanges()
    expect(bursts.get(tenantId)).toBe(1)
  })

  it('is reported after the database could not be read for a while', async () => {
    let isDown = false
    const reported: number[] = []
    const readChanges = createLimitChanges({
      database: {
        query: (...args) => (isDown ? Promise.reject(new Error('down')) : database.query(...args)),
      },
      changed: (id) => reported.push(id),
    })
    await readChanges()
    isDown = true
    await setLimits({ burst: 1 })
    await expect(readChanges()).rejects.toThrow('down')
    isDown = false
    await readChanges()
    expect(reported).toContain(tenantId)
  })
})

describe('the limits in the settings of a tenant', () => {
  it.each([
    [null, {}],
    ['fast', {}],
    [
      { ratePerSecond: 5, burst: 0 },
      { ratePerSecond: 5, burst: 0 },
    ],
    [{ ratePerSecond: '5', burst: ' ' }, { ratePerSecond: 5 }],
    [{ ratePerSecond: -1, burst: null }, { ratePerSecond: 0 }],
    [{ ratePerSecond: true, burst: 'many' }, {}],
  ])('%j are read as %j', (json, expected) => {
    expect(parseTenantLimits(json, 3)).toEqual({ ...expected, version: 3 })
  })
})
