import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { MINUTE_MS } from '@millrace/contracts'
import { type Database, databaseErrors, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { startTestPostgresServer, waitFor, within } from '@millrace/testing'
import { KeyManager } from './key-manager.js'
import { createKeyVerifier, type KeyVerifier } from './key-verifier.js'
import type { Principal } from './principal.js'

type Server = Awaited<ReturnType<typeof startTestPostgresServer>>

/** Far above the longest wait of a request for its key (2 s) and far below the time-out of a statement (35 s). */
const SOON_MS = 10_000

interface Keys {
  readonly verifier: KeyVerifier
  readonly clock: { now: number }
  readonly key: string
  readonly id: string
  readonly manager: KeyManager
  readonly tenantId: number
  /** Messages that the verifier has logged as WARN. */
  readonly warnings: readonly string[]
}

let server: Server
let tenants = 0

/** A key that the verifier knows, and a clock that the test moves. */
async function withKnownKey(use: (keys: Keys) => Promise<void>): Promise<void> {
  const database = openDatabase({ url: server.url })
  const manager = new KeyManager({ database, actor: 'test' })
  const tenantId = await manager.createTenant(`tenant ${++tenants}`)
  const { key, id } = await manager.create({ tenantId, name: 'web', scopes: ['write'] })
  const clock = { now: 1_000_000 }
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const verifier = createKeyVerifier({ outageGraceMs: 10 * MINUTE_MS }, { database, logger, now: () => clock.now })
  try {
    await verifier.verifyKey(key)
    await use({ verifier, clock, key, id, manager, tenantId, warnings })
  } finally {
    await server.resume()
    await verifier.close()
    await database.close()
  }
}

describe('API keys while PostgreSQL is frozen', () => {
  beforeAll(async () => {
    server = await startTestPostgresServer()
    await migrate(server.url)
  })

  afterAll(async () => {
    await server.stop()
  })

  it('a known key is accepted although its look-up hangs, and without a promise from the second time on', () =>
    withKnownKey(async ({ verifier, clock, key, id }) => {
      await server.pause()
      clock.now += 31_000
      expect(await within(SOON_MS, verifier.verifyKey(key))).toMatchObject({ keyId: id })
      for (let i = 0; i < 100; i++) {
        clock.now += 1_000
        expect((verifier.verifyKey(key) as Principal).keyId).toBe(id)
      }
    }))

  it('a known key in steady use never waits for PostgreSQL', () =>
    withKnownKey(async ({ verifier, clock, key, id, warnings }) => {
      await server.pause()
      clock.now += 21_000
      expect((verifier.verifyKey(key) as Principal).keyId).toBe(id)
      // The look-up in the background hangs, which the verifier notices before the cache entry ends.
      await waitFor(() => warnings.some((warning) => warning.startsWith('PostgreSQL does not answer look-ups')))
      clock.now += 10_000
      expect((verifier.verifyKey(key) as Principal).keyId).toBe(id)
    }))

  it('an unknown key gets KEYS_UNAVAILABLE with a time to retry, soon and however many requests carry it', () =>
    withKnownKey(async ({ verifier }) => {
      await server.pause()
      const outcomes = await Promise.all(
        ['mr_a', 'mr_a', 'mr_b'].map((key) =>
          within(SOON_MS, verifier.verifyKey(key)).catch((error: unknown) => error),
        ),
      )
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({
          code: 'KEYS_UNAVAILABLE',
          retryable: true,
          retryAfterSeconds: expect.any(Number),
        })
    }))

  it('a known key is refused with KEYS_UNAVAILABLE after the grace period, and accepted again once PostgreSQL answers', () =>
    withKnownKey(async ({ verifier, clock, key, id }) => {
      await server.pause()
      clock.now += 11 * MINUTE_MS
      await expect(within(SOON_MS, verifier.verifyKey(key))).rejects.toMatchObject({ code: 'KEYS_UNAVAILABLE' })
      await server.resume()
      await waitFor(async () => (await verifier.verifyKey(key)).keyId === id)
    }))

  it('a key that was revoked is refused soon after PostgreSQL answers again, although nobody announced it', () =>
    withKnownKey(async ({ verifier, clock, key, id, manager, tenantId }) => {
      await server.pause()
      clock.now += 31_000
      expect(await within(SOON_MS, verifier.verifyKey(key))).toMatchObject({ keyId: id })
      await server.resume()
      await manager.create({ tenantId, name: 'other', scopes: ['admin'] })
      await manager.revoke(tenantId, id)
      await waitFor(
        async () => {
          clock.now += 1_000
          return await Promise.resolve()
            .then(() => verifier.verifyKey(key))
            .then(
              () => false,
              (error: { code?: string }) => error.code === 'KEY_INVALID',
            )
        },
        { what: 'the refusal of the revoked key' },
      )
    }))

  it('a verifier closes although look-ups hang', () =>
    withKnownKey(async ({ verifier }) => {
      await server.pause()
      const lookUp = Promise.resolve(verifier.verifyKey('mr_x')).catch(() => undefined)
      expect(await within(SOON_MS, verifier.close())).toBeUndefined()
      await within(SOON_MS, lookUp)
    }))
})

describe('look-ups of cached keys while the database does not answer', () => {
  it('run one at a time, with growing pauses, for all keys together', async () => {
    let queries = 0
    const clock = { now: 0 }
    let isAnswering = true
    const query = async () => {
      queries++
      if (!isAnswering) throw databaseErrors.DATABASE_UNAVAILABLE()
      return { rows: [[1n, 1, ['write'], null, 'acme', null]], rowCount: 1, command: 'SELECT' }
    }
    const database = { query: query as unknown as Database['query'] }
    const verifier = createKeyVerifier({}, { database, now: () => clock.now })
    const keys = Array.from({ length: 50 }, (_, index) => `mr_${index}`)
    for (const key of keys) await verifier.verifyKey(key)
    isAnswering = false
    clock.now = 31_000
    await verifier.verifyKey(keys[0] as string)
    queries = 0
    for (let second = 0; second < 60; second++) {
      clock.now += 1_000
      for (const key of keys) void verifier.verifyKey(key)
      // The failed look-up ends meanwhile.
      await new Promise((resolve) => setImmediate(resolve))
    }
    // After 1, 2, 4 and 8 s, then every 15 s.
    expect(queries).toBeGreaterThan(3)
    expect(queries).toBeLessThan(10)
    await verifier.close()
  })
})
