import { HOUR_MS } from '@millrace/contracts'
import { type Database, databaseErrors } from '@millrace/database'
import { type Logger, silentLogger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { CounterChild, Metrics } from '@millrace/telemetry'
import { authErrors } from '../errors.js'
import type { TenantLimits } from '../limits/tenant-limits.js'
import { hashApiKey, hintOf } from './api-key.js'
import { type CacheEntry, KeyCache } from './key-cache.js'
import { watchKeys } from './key-channel.js'
import { selectKeyByHash } from './key-queries.js'
import { parseAuthorization } from './parse-authorization.js'
import type { Principal } from './principal.js'

export interface KeyVerifierConfig {
  /** How long a valid key is cached, in ms; a revocation that was not announced takes effect within this time. Default 30,000. */
  readonly positiveTtlMs?: number | undefined
  /** How long a refused key is cached, in ms. Default 5,000. */
  readonly negativeTtlMs?: number | undefined
  /** How much longer cached keys are accepted while PostgreSQL cannot be reached, in ms. Default 3,600,000. */
  readonly outageGraceMs?: number | undefined
  /** Maximum number of cached valid keys, and of cached refusals. Default 10,000 each. */
  readonly entriesMax?: number | undefined
  /** Maximum number of look-ups at a time; further unknown keys get KEYS_UNAVAILABLE. Default 100. */
  readonly lookupsMax?: number | undefined
}

export interface KeyVerifierDeps {
  readonly database: Pick<Database, 'query'>
  /** Announces revocations; without it they take effect after `positiveTtlMs`. */
  readonly redis?: RedisConnection | undefined
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined
}

/**
 * Finds the caller of a request by its API key. A cached key returns its principal directly, without a promise, in well under a microsecond. It is
 * looked up again in the background before its cache entry ends, so a key in use never waits for the database.
 */
export interface KeyVerifier {
  /**
   * The caller of a request with this Authorization header, directly or as a promise.
   * @throws authErrors.KEY_MISSING, KEY_INVALID, KEYS_UNAVAILABLE; it throws or rejects, so await it inside `try`
   */
  verify(authorization: string | undefined): Principal | Promise<Principal>
  /** The same for a key without a header, such as `writeKey` in a body. */
  verifyKey(key: string): Principal | Promise<Principal>
  /** Cached keys of the tenant carry these limits from now on. */
  changeLimits(tenantId: number, limits: TenantLimits): void
  /** Ends the subscription and waits for running look-ups. */
  close(): Promise<void>
}

/** Pause between two look-ups of a cached key while the database cannot be reached, in ms. */
const RETRY_MS = 1_000

export function createKeyVerifier(config: KeyVerifierConfig, deps: KeyVerifierDeps): KeyVerifier {
  return new CachingVerifier(config, deps)
}

class CachingVerifier implements KeyVerifier {
  readonly #cache: KeyCache
  readonly #lookupsMax: number
  readonly #database: Pick<Database, 'query'>
  readonly #logger: Logger
  readonly #now: () => number
  readonly #lookups = new Map<string, Promise<Principal>>()
  readonly #outcomes: Record<'found' | 'refused' | 'unavailable', CounterChild> | undefined
  readonly #stopWatching: (() => Promise<void>) | undefined

  constructor(config: KeyVerifierConfig, deps: KeyVerifierDeps) {
    this.#cache = new KeyCache({
      positiveTtlMs: config.positiveTtlMs ?? 30_000,
      negativeTtlMs: config.negativeTtlMs ?? 5_000,
      outageGraceMs: config.outageGraceMs ?? HOUR_MS,
      entriesMax: config.entriesMax ?? 10_000,
    })
    this.#lookupsMax = config.lookupsMax ?? 100
    this.#database = deps.database
    this.#logger = deps.logger ?? silentLogger
    this.#now = deps.now ?? Date.now
    this.#outcomes = deps.metrics && createOutcomes(deps.metrics)
    this.#stopWatching =
      deps.redis && watchKeys(deps.redis, { key: (keyId) => this.#cache.drop(keyId), gap: () => this.#cache.expire() })
  }

  verify(authorization: string | undefined): Principal | Promise<Principal> {
    if (authorization === undefined || authorization === '') throw authErrors.KEY_MISSING()
    return this.#verify(authorization, parseAuthorization)
  }

  verifyKey(key: string): Principal | Promise<Principal> {
    if (key === '') throw authErrors.KEY_MISSING()
    return this.#verify(key, (text) => (text.length <= 256 ? text : undefined))
  }

  changeLimits(tenantId: number, limits: TenantLimits): void {
    this.#cache.changeLimits(tenantId, limits)
  }

  async close(): Promise<void> {
    await this.#stopWatching?.()
    await Promise.allSettled(this.#lookups.values())
  }

  #verify(credentials: string, parse: (credentials: string) => string | undefined): Principal | Promise<Principal> {
    const now = this.#now()
    const entry = this.#cache.get(credentials)
    if (entry !== undefined && now < entry.freshUntil) {
      if (now >= entry.refreshAt) this.#refresh(entry, credentials, parse)
      return entry.principal
    }
    if (entry !== undefined && now < entry.graceUntil && now < entry.retryAt) return entry.principal
    if (this.#cache.isRefused(credentials, now)) throw authErrors.KEY_INVALID()
    return this.#lookUp(credentials, parse)
  }

  #refresh(entry: CacheEntry, credentials: string, parse: (credentials: string) => string | undefined): void {
    entry.refreshAt = this.#now() + RETRY_MS
    // Nobody waits for this look-up: the result of a failed one shows when the cache entry ends.
    this.#lookUp(credentials, parse).catch(() => undefined)
  }

  /** The same credentials are looked up once at a time. */
  #lookUp(credentials: string, parse: (credentials: string) => string | undefined): Promise<Principal> {
    const running = this.#lookups.get(credentials)
    if (running) return running
    if (this.#lookups.size >= this.#lookupsMax) {
      return Promise.reject(
        authErrors.KEYS_UNAVAILABLE({
          message: 'too many unknown API keys are checked at the same time',
          retryAfterSeconds: 1,
        }),
      )
    }
    const lookup = this.#find(credentials, parse(credentials)).finally(() => this.#lookups.delete(credentials))
    this.#lookups.set(credentials, lookup)
    return lookup
  }

  async #find(credentials: string, key: string | undefined): Promise<Principal> {
    if (key === undefined) throw authErrors.KEY_MISSING()
    for (;;) {
      const { generation } = this.#cache
      const found = await this.#select(credentials, key)
      if (found === 'unavailable') return this.#principalInOutage(credentials)
      // A key changed during the look-up, so the result may be older than the change.
      if (generation !== this.#cache.generation) continue
      if (found === undefined) {
        this.#cache.refuse(credentials, this.#now())
        this.#outcomes?.refused.inc()
        this.#logger.security('an API key was refused', { hint: hintOf(key) })
        throw authErrors.KEY_INVALID()
      }
      this.#cache.keep(credentials, found, this.#now())
      this.#outcomes?.found.inc()
      return found.principal
    }
  }

  async #select(credentials: string, key: string) {
    try {
      return await selectKeyByHash(this.#database, hashApiKey(key))
    } catch (error) {
      if (databaseErrors.DATABASE_STATEMENT_ERROR.matches(error)) throw error
      this.#outcomes?.unavailable.inc()
      const entry = this.#cache.get(credentials)
      if (entry) entry.retryAt = this.#now() + RETRY_MS
      return 'unavailable'
    }
  }

  #principalInOutage(credentials: string): Principal {
    const entry = this.#cache.get(credentials)
    if (entry && this.#now() < entry.graceUntil) return entry.principal
    throw authErrors.KEYS_UNAVAILABLE({ retryAfterSeconds: 5 })
  }
}

function createOutcomes(metrics: Metrics) {
  const lookups = metrics.counter({
    name: 'millrace_auth_key_lookups_total',
    help: 'API keys looked up in PostgreSQL, by result',
    alert: 'unavailable rises: the database cannot be reached; refused rises: somebody tries invalid keys',
    labels: ['outcome'] as const,
  })
  return {
    found: lookups.with({ outcome: 'found' }),
    refused: lookups.with({ outcome: 'refused' }),
    unavailable: lookups.with({ outcome: 'unavailable' }),
  }
}
