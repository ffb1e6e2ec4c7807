import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { CHANNELS } from '@millrace/contracts'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { createLogger, silentLogger } from '@millrace/logger'
import { openRedis, type RedisConnection } from '@millrace/redis'
import {
  createTestDatabase,
  createTestRedis,
  startTestPostgresServer,
  startTestRedisServer,
  type TestDatabase,
  type TestRedis,
  waitFor,
} from '@millrace/testing'
import { KeyManager } from './key-manager.js'
import { createKeyVerifier, type KeyVerifier } from './key-verifier.js'
import { hasScope, type Principal, requireScope, SCOPES, type Scope } from './principal.js'
import { seedKeys } from './seed-keys.js'

describe('API keys', () => {
  let testDatabase: TestDatabase
  let testRedis: TestRedis
  let database: Database
  let redis: RedisConnection
  let manager: KeyManager
  let tenantId: number
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    testRedis = await createTestRedis()
    database = openDatabase({ url: testDatabase.url })
    redis = await openRedis({ url: testRedis.url, name: 'auth-test' }, { logger: silentLogger })
    manager = new KeyManager({ database, redis, actor: 'test' })
    tenantId = await manager.createTenant('acme')
  })
  afterAll(async () => {
    await database.close()
    await redis.close()
    await testRedis.release()
    await testDatabase.release()
  })

  async function withVerifier(
    use: (verifier: KeyVerifier) => Promise<void>,
    options: { now?: () => number; redis?: RedisConnection } = {},
  ) {
    const verifier = createKeyVerifier({}, { database, ...options })
    try {
      await use(verifier)
    } finally {
      await verifier.close()
    }
  }

  it('the key verifier accepts a key by Bearer, Basic and alone, without a promise from the second time on', () =>
    withVerifier(async (verifier) => {
      const { key, id } = await manager.create({ tenantId, name: 'web', scopes: ['write'] })
      const principal = { keyId: id, tenantId, tenantName: 'acme', scopes: ['write'], limits: { version: 1 } }
      for (const header of [`Bearer ${key}`, `Basic ${Buffer.from(`${key}:`).toString('base64')}`]) {
        await expect(verifier.verify(header)).resolves.toEqual(principal)
        expect(verifier.verify(header)).toEqual(principal)
      }
      await verifier.verifyKey(key)
      expect(verifier.verifyKey(key)).toEqual(principal)
    }))

  it('the key verifier refuses credentials without a valid key, and caches the refusal', () =>
    withVerifier(async (verifier) => {
      expect(() => verifier.verify(undefined)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
      await expect(verifier.verify('Digest x')).rejects.toMatchObject({ code: 'KEY_MISSING' })
      await expect(verifier.verify('Bearer mr_nobody')).rejects.toMatchObject({
        code: 'KEY_INVALID',
        kind: 'unauthenticated',
      })
      expect(() => verifier.verify('Bearer mr_nobody')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
    }))

  describe('announced changes', () => {
    // A server of its own: channels are shared by all databases of a server. The clock stands still, so no cached answer ends by itself.
    async function withAnnouncements(use: (verifier: KeyVerifier, announcing: KeyManager) => Promise<void>) {
      const server = await startTestRedisServer()
      const own = await openRedis({ url: server.url, name: 'auth-test' }, { logger: silentLogger })
      try {
        await withVerifier(
          async (verifier) => {
            await subscribed(own)
            await use(verifier, new KeyManager({ database, redis: own, actor: 'test' }))
          },
          { redis: own, now: () => 0 },
        )
      } finally {
        await own.close()
        await server.stop()
      }
    }

    it('make the key verifier refuse a revoked key at once', () =>
      withAnnouncements(async (verifier, announcing) => {
        const { key, id } = await announcing.create({ tenantId, name: 'revoked', scopes: ['write'] })
        await verifier.verifyKey(key)
        expect(verifier.verifyKey(key)).toMatchObject({ keyId: id })
        await announcing.revoke(tenantId, id)
        await waitFor(() => isRefused(verifier, key), { deadlineMs: 2_000, what: 'the refusal of the revoked key' })
      }))

    it('make the key verifier accept a key at once that it refused before', () =>
      withAnnouncements(async (verifier, announcing) => {
        expect(await isRefused(verifier, 'mr_late')).toBe(true)
        await seedKeys({ writeKey: 'mr_late', isProduction: false }, { database })
        expect(await isRefused(verifier, 'mr_late')).toBe(true)
        await announcing.create({ tenantId, name: 'announced', scopes: ['write'] })
        await waitFor(async () => !(await isRefused(verifier, 'mr_late')), {
          deadlineMs: 2_000,
          what: 'the acceptance of the key',
        })
      }))
  })

  it('the key verifier looks up every cached key again after its subscription was interrupted, because it may have missed a revocation', async () => {
    const server = await startTestRedisServer()
    const own = await openRedis({ url: server.url, name: 'auth-test' }, { logger: silentLogger })
    const unannounced = new KeyManager({ database, actor: 'test' })
    await withVerifier(
      async (verifier) => {
        await subscribed(own)
        const { key, id } = await manager.create({ tenantId, name: 'missed', scopes: ['write'] })
        await verifier.verifyKey(key)
        await server.kill()
        await unannounced.revoke(tenantId, id)
        expect(verifier.verifyKey(key)).toMatchObject({ keyId: id })
        await server.restart()
        // The cache entry alone would be valid for 30 s.
        await waitFor(() => isRefused(verifier, key), { deadlineMs: 10_000 })
      },
      { redis: own },
    )
    await own.close()
    await server.stop()
  })

  it('the key verifier notices a revocation that was not announced when its cache entry ends after 30 s', async () => {
    let now = Date.now()
    await withVerifier(
      async (verifier) => {
        const { key, id } = await manager.create({ tenantId, name: 'unheard', scopes: ['write'] })
        await verifier.verifyKey(key)
        await manager.revoke(tenantId, id)
        now += 29_000
        expect(verifier.verifyKey(key)).toMatchObject({ keyId: id })
        now += 2_000
        await expect(verifier.verifyKey(key)).rejects.toMatchObject({ code: 'KEY_INVALID' })
      },
      { now: () => now },
    )
  })

  it('a rotation leaves two keys with the same name valid, and never a third', () =>
    withVerifier(async (verifier) => {
      const old = await manager.create({ tenantId, name: 'rotated', scopes: ['read', 'write'] })
      const successor = await manager.rotate(tenantId, old.id, { overlapMs: 60_000 })
      expect(successor).toMatchObject({ name: 'rotated', scopes: ['write', 'read'], expiresAt: undefined })
      expect(await verifier.verifyKey(old.key)).toMatchObject({ keyId: old.id })
      expect(await verifier.verifyKey(successor.key)).toMatchObject({ keyId: successor.id })
      await expect(manager.rotate(tenantId, successor.id)).rejects.toMatchObject({ code: 'KEY_ROTATING' })
      await manager.revoke(tenantId, old.id)
      await expect(manager.rotate(tenantId, successor.id)).resolves.toMatchObject({ name: 'rotated' })
    }))

  it('the last valid admin key of a tenant cannot be revoked, not even when the last two are revoked at the same time', async () => {
    const id = await manager.createTenant('guarded')
    const create = (scopes: Scope[], expiresAt?: Date) => manager.create({ tenantId: id, name: '', scopes, expiresAt })
    const writer = await create(['write'])
    await create(['admin'], new Date(Date.now() - 1000))
    const admins = [await create(['read', 'admin']), await create(['admin'])]
    const ends = await Promise.allSettled(admins.map((admin) => manager.revoke(id, admin.id)))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'LAST_ADMIN_KEY' } })
    await expect(manager.revoke(id, writer.id)).resolves.toBeUndefined()
  })

  describe('an admin key that is revoked', () => {
    let tenant: number
    const create = (expiresAt?: Date, scopes: Scope[] = ['admin']) =>
      manager.create({ tenantId: tenant, name: '', scopes, expiresAt })
    const inDays = (days: number) => new Date(Date.now() + days * 86_400_000)
    let tenants = 0
    beforeEach(async () => {
      tenant = await manager.createTenant(`lockable ${++tenants}`)
    })

    it('is not revoked by a request that is sent with it, unless the request confirms that', async () => {
      const own = await create()
      await create()
      for (const confirmed of [[], ['expiry' as const]])
        await expect(manager.revoke(tenant, own.id, { callerId: own.id, confirmed })).rejects.toMatchObject({
          code: 'SELF_REVOCATION',
          message: expect.stringContaining('confirm=self'),
        })
      await manager.revoke(tenant, own.id, { callerId: own.id, confirmed: ['self'] })
    })

    it('stays, in spite of all confirmations, when it is the last', async () => {
      const own = await create()
      await create(new Date(Date.now() - 1000))
      await create(undefined, ['write'])
      await expect(
        manager.revoke(tenant, own.id, { callerId: own.id, confirmed: ['self', 'expiry'] }),
      ).rejects.toMatchObject({ code: 'LAST_ADMIN_KEY' })
    })

    it('is not replaced within a minute by a request that is sent with it, unless the request confirms that', async () => {
      const own = await create()
      const now = { overlapMs: 0, callerId: own.id }
      await expect(manager.rotate(tenant, own.id, now)).rejects.toMatchObject({ code: 'SELF_REVOCATION' })
      expect(await manager.list(tenant)).toHaveLength(1)
      const next = await manager.rotate(tenant, own.id, { ...now, confirmed: ['self'] })
      await manager.rotate(tenant, next.id, { overlapMs: 0, callerId: own.id })
    })

    it('is not revoked when the other admin keys expire earlier, unless the request confirms that', async () => {
      const lasting = await create()
      const short = await create(inDays(1))
      const long = await create(inDays(2))
      const remaining = { code: 'ADMIN_KEYS_EXPIRE', details: { expires_at: long.expiresAt?.toISOString() } }
      await expect(manager.revoke(tenant, lasting.id, { callerId: short.id })).rejects.toMatchObject(remaining)
      await manager.revoke(tenant, lasting.id, { callerId: short.id, confirmed: ['expiry'] })
      await expect(manager.revoke(tenant, long.id, { callerId: short.id })).rejects.toMatchObject({
        code: 'ADMIN_KEYS_EXPIRE',
      })
      await manager.revoke(tenant, short.id, { callerId: long.id })
    })

    it('is not revoked when only its predecessor is left, which ends soon', async () => {
      const old = await create()
      const next = await manager.rotate(tenant, old.id)
      await expect(manager.revoke(tenant, next.id, { callerId: old.id })).rejects.toMatchObject({
        code: 'ADMIN_KEYS_EXPIRE',
      })
    })
  })

  it('a cached key ends at its expiry, to the millisecond', async () => {
    let now = Date.now()
    await withVerifier(
      async (verifier) => {
        const { key } = await manager.create({
          tenantId,
          name: 'short',
          scopes: ['write'],
          expiresAt: new Date(now + 5_000),
        })
        await verifier.verifyKey(key)
        now += 4_999
        expect(verifier.verifyKey(key)).toMatchObject({ tenantId })
        now += 1
        expect(verifier.verifyKey(key)).toBeInstanceOf(Promise)
      },
      { now: () => now },
    )
  })

  it('a tenant can neither see nor change the keys of another tenant, and no key is ever returned again', async () => {
    const other = await manager.createTenant('other')
    const { id, key } = await manager.create({ tenantId, name: 'mine', scopes: ['read'] })
    await expect(manager.revoke(other, id)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' })
    await expect(manager.rotate(other, id)).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' })
    await expect(manager.revoke(tenantId, "1' or true")).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' })
    expect(await manager.list(other)).toEqual([])
    expect(JSON.stringify(await manager.list(tenantId))).not.toContain(key.slice(8))
    await expect(manager.create({ tenantId: 999_999, name: '', scopes: ['read'] })).rejects.toMatchObject({
      code: 'TENANT_NOT_FOUND',
    })
    await expect(manager.createTenant('other')).rejects.toMatchObject({ code: 'TENANT_EXISTS' })
  })

  it('processes that seed keys at the same time create the tenant default and its keys once, and a revoked key stays revoked', () =>
    withVerifier(async (verifier) => {
      const config = { writeKey: 'mr_write_dev', adminKey: 'mr_admin_dev', isProduction: false }
      await Promise.all([1, 2, 3].map(() => seedKeys(config, { database })))
      const writer = await verifier.verifyKey('mr_write_dev')
      const admin = await verifier.verifyKey('mr_admin_dev')
      expect([hasScope(writer, 'write'), hasScope(writer, 'read'), hasScope(admin, 'read')]).toEqual([
        true,
        false,
        true,
      ])
      expect(() => requireScope(writer, 'admin')).toThrow(expect.objectContaining({ code: 'SCOPE_MISSING' }))
      await manager.revoke(writer.tenantId, writer.keyId)
      let log = ''
      const logger = createLogger({
        service: 'test',
        write: (line) => {
          log += line
        },
      })
      await seedKeys(config, { database, logger })
      logger.close()
      expect(log).toMatch(/was revoked or has expired.*BOOTSTRAP_WRITE_KEY/)
      expect(log).not.toContain('BOOTSTRAP_ADMIN_KEY')
      expect((await manager.list(writer.tenantId)).filter(({ revokedAt }) => revokedAt)).toHaveLength(1)
      await expect(seedKeys({ ...config, isProduction: true }, { database })).rejects.toMatchObject({
        code: 'DEVELOPMENT_KEY',
      })
    }))

  it(
    'the command tenants creates a tenant and prints its keys, and fails for a name that exists',
    () =>
      withVerifier(async (verifier) => {
        const script = fileURLToPath(new URL('../../dist/tenants-cli.js', import.meta.url))
        const run = (...args: string[]) =>
          promisify(execFile)(process.execPath, [script, ...args], { env: { DATABASE_URL: testDatabase.url } })
        const { stdout } = await run('add', 'commanded')
        const [write, admin] = [...stdout.matchAll(/key (mr_\S+)/g)].map(([, key = '']) => key)
        expect(await verifier.verifyKey(String(write))).toMatchObject({ tenantName: 'commanded', scopes: ['write'] })
        expect(await verifier.verifyKey(String(admin))).toMatchObject({ scopes: ['write', 'read', 'admin'] })
        await expect(run('add', 'commanded')).rejects.toMatchObject({ code: 1, stdout: '' })
        await expect(run('ad')).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(/^usage:/) })
        const another = /^admin key (mr_\S+)\n$/.exec((await run('admin-key', 'commanded')).stdout)?.[1]
        expect(await verifier.verifyKey(String(another))).toMatchObject({ tenantName: 'commanded', scopes: SCOPES })
        await expect(run('admin-key', 'nobody')).rejects.toMatchObject({ code: 1, stdout: '' })
      }),
    60_000,
  )

  it('the command tenants sets and removes the limit of a tenant, and changes nothing when a number is wrong', async () => {
    const script = fileURLToPath(new URL('../../dist/tenants-cli.js', import.meta.url))
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [script, 'limit', ...args], { env: { DATABASE_URL: testDatabase.url } })
    const id = await manager.createTenant('slow')
    await database.query(`update tenants set settings = '{"other": 1}' where id = $1`, [id])
    const settings = async () =>
      (await database.query<{ settings: unknown }>('select settings from tenants where id = $1', [id])).rows[0]
        ?.settings
    expect((await run('slow', '10', '50')).stdout).toBe('tenant slow may send 10 events a second\n')
    expect(await settings()).toEqual({ other: 1, limits: { ratePerSecond: 10, burst: 50 } })
    expect((await run('slow', '0')).stdout).toBe('tenant slow is blocked\n')
    for (const wrong of [['-1'], ['ten'], [''], [], ['1', 'x'], ['1', '2', '3'], ['default', '5']])
      await expect(run('slow', ...wrong)).rejects.toMatchObject({ code: 2 })
    expect(await settings()).toEqual({ other: 1, limits: { ratePerSecond: 0 } })
    await run('slow', 'default')
    expect(await settings()).toEqual({ other: 1 })
  })

  it('the limits of a principal come from the settings of its tenant', () =>
    withVerifier(async (verifier) => {
      const id = await manager.createTenant('limited')
      await database.query(
        `update tenants set settings = '{"limits": {"ratePerSecond": 10, "burst": 20}}' where id = $1`,
        [id],
      )
      const { key } = await manager.create({ tenantId: id, name: '', scopes: ['write'] })
      expect(await verifier.verifyKey(key)).toMatchObject({ limits: { ratePerSecond: 10, burst: 20 } })
    }))

  it('many concurrent requests with the same unknown key cause one look-up', () =>
    withVerifier(async (verifier) => {
      const { key } = await manager.create({ tenantId, name: 'crowd', scopes: ['write'] })
      const answers = Array.from({ length: 50 }, () => verifier.verifyKey(key))
      expect(new Set(answers).size).toBe(1)
      await Promise.all(answers.map(async (answer) => await answer))
    }))
})

describe('API keys while PostgreSQL is down', () => {
  it('cached keys are accepted for the grace period, and unknown ones get a retryable error', async () => {
    const server = await startTestPostgresServer()
    await migrate(server.url)
    const database = openDatabase({ url: server.url, retryAttempts: 1, timeoutMs: 1_000 })
    const manager = new KeyManager({ database, actor: 'test' })
    const tenantId = await manager.createTenant('acme')
    const { key, id } = await manager.create({ tenantId, name: '', scopes: ['write'] })
    let now = Date.now()
    const verifier = createKeyVerifier({ outageGraceMs: 60_000 }, { database, now: () => now })
    await verifier.verifyKey(key)
    await server.kill()
    now += 31_000
    expect(await verifier.verifyKey(key)).toMatchObject({ keyId: id })
    expect((verifier.verifyKey(key) as Principal).keyId).toBe(id)
    await expect(verifier.verifyKey('mr_unknown')).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE', retryable: true })
    now += 60_000
    await expect(verifier.verifyKey(key)).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' })
    await server.restart()
    expect(await verifier.verifyKey(key)).toMatchObject({ keyId: id })
    await verifier.close()
    await database.close()
    await server.stop()
  })
})

/** Resolves when a verifier hears of changed keys. */
async function subscribed({ client }: RedisConnection): Promise<void> {
  await waitFor(async () => (await client.pubsub('NUMSUB', CHANNELS.apiKeys))[1] !== 0, { deadlineMs: 5_000 })
}

function isRefused(verifier: KeyVerifier, key: string): Promise<boolean> {
  return Promise.resolve()
    .then(() => verifier.verifyKey(key))
    .then(
      () => false,
      () => true,
    )
}
