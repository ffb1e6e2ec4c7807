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
  /** How much longer cached keys are accepted while PostgreSQL does not answer, in ms. Default 3,600,000. */
  readonly outageGraceMs?: number | undefined
  /** How long a request waits for the look-up of a key that is not cached, in ms; then it gets KEYS_UNAVAILABLE. Default 2,000. */
  readonly lookupWaitMs?: number | undefined
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
 * looked up again in the background before its cache entry ends, so a key in use never waits for the database. A key that was not used for longer
 * waits for its look-up for at most 200 ms, and not at all while the database is known not to answer.
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
  /** Ends the subscription. Running look-ups, which only read, are not waited for: the database may not answer. */
  close(): Promise<void>
}

/**
 * How long a request with a cached key whose entry has ended waits for the look-up, in ms: long enough for a healthy database, so that a revocation
 * is noticed, and short enough for a request.
 */
const STALE_WAIT_MS = 200
/** Pauses between look-ups of cached keys while the database does not answer, in ms: doubled from the first to the last. */
const RETRY_FIRST_MS = 1_000
const RETRY_LAST_MS = 15_000

export function createKeyVerifier(config: KeyVerifierConfig, deps: KeyVerifierDeps): KeyVerifier {
  return new CachingVerifier(config, deps)
}

class CachingVerifier implements KeyVerifier {
  readonly #cache: KeyCache
  readonly #graceMs: number
  readonly #lookupsMax: number
  readonly #lookupWaitMs: number
  readonly #database: Pick<Database, 'query'>
  readonly #logger: Logger
  readonly #now: () => number
  /** Running look-ups by credentials. One stays here until the database answers, however long its callers wait for it. */
  readonly #lookups = new Map<string, Lookup>()
  /** The latest look-up failed or took longer than STALE_WAIT_MS: cached keys are used without waiting for theirs. */
  #isSilent = false
  /** While the database is silent, no look-up of a cached key starts before this time. */
  #retryAt = 0
  #retryMs = RETRY_FIRST_MS
  readonly #outcomes: Record<'found' | 'refused' | 'unavailable', CounterChild> | undefined
  readonly #stopWatching: (() => Promise<void>) | undefined

  constructor(config: KeyVerifierConfig, deps: KeyVerifierDeps) {
    this.#graceMs = config.outageGraceMs ?? HOUR_MS
    this.#cache = new KeyCache({
      positiveTtlMs: config.positiveTtlMs ?? 30_000,
      negativeTtlMs: config.negativeTtlMs ?? 5_000,
      outageGraceMs: this.#graceMs,
      entriesMax: config.entriesMax ?? 10_000,
    })
    this.#lookupsMax = config.lookupsMax ?? 100
    this.#lookupWaitMs = config.lookupWaitMs ?? 2_000
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
  }

  #verify(credentials: string, parse: Parse): Principal | Promise<Principal> {
    const now = this.#now()
    const entry = this.#cache.get(credentials)
    if (entry !== undefined && now < entry.freshUntil) {
      if (now >= entry.refreshAt) this.#refresh(entry, credentials, parse)
      return entry.principal
    }
    if (entry !== undefined && now < entry.graceUntil) return this.#verifyStale(entry, credentials, parse)
    if (this.#cache.isRefused(credentials, now)) throw authErrors.KEY_INVALID()
    return this.#verifyUnknown(credentials, parse)
  }

  /** All requests with the same credentials share one wait: one that comes after its end, while the look-up still hangs, fails at once. */
  #verifyUnknown(credentials: string, parse: Parse): Promise<Principal> {
    const lookup = this.#lookUp(credentials, parse)
    lookup.waited ??= waitFor(lookup.found, this.#lookupWaitMs, () => {
      throw authErrors.KEYS_UNAVAILABLE({
        message: `the API key cannot be checked: PostgreSQL did not answer in ${this.#lookupWaitMs} ms`,
        retryAfterSeconds: 1,
      })
    })
    return lookup.waited
  }

  #refresh(entry: CacheEntry, credentials: string, parse: Parse): void {
    entry.refreshAt = this.#now() + RETRY_FIRST_MS
    this.#refreshInBackground(credentials, parse)
  }

  /** The entry of a cached key has ended, and the key may have been revoked since; but a database that hangs must not stop a known caller. */
  #verifyStale(entry: CacheEntry, credentials: string, parse: Parse): Principal | Promise<Principal> {
    if (this.#isSilent) {
      if (this.#now() >= this.#retryAt) {
        this.#retryAt = this.#now() + this.#retryMs
        this.#retryMs = Math.min(RETRY_LAST_MS, this.#retryMs * 2)
        this.#refreshInBackground(credentials, parse)
      }
      return entry.principal
    }
    return waitFor(this.#lookUp(credentials, parse).found, STALE_WAIT_MS, () => {
      this.#noteSilence()
      return entry.principal
    })
  }

  #refreshInBackground(credentials: string, parse: Parse): void {
    const timer = setTimeout(() => this.#noteSilence(), STALE_WAIT_MS).unref()
    // Nobody waits for this look-up: the result of a failed one shows when the cache entry ends.
    this.#lookUp(credentials, parse)
      .found.catch(() => undefined)
      .finally(() => clearTimeout(timer))
  }

  #noteSilence(): void {
    if (this.#isSilent) return
    this.#isSilent = true
    this.#retryMs = RETRY_FIRST_MS
    this.#retryAt = this.#now() + RETRY_FIRST_MS
    this.#logger.warn('PostgreSQL does not answer look-ups of API keys; keys that are cached stay valid meanwhile', {
      grace_ms: this.#graceMs,
    })
  }

  #noteAnswer(): void {
    if (!this.#isSilent) return
    this.#isSilent = false
    this.#logger.info('PostgreSQL answers look-ups of API keys again')
  }

  /** The same credentials are looked up once at a time. */
  #lookUp(credentials: string, parse: Parse): Lookup {
    const running = this.#lookups.get(credentials)
    if (running) return running
    if (this.#lookups.size >= this.#lookupsMax) {
      const message = 'too many unknown API keys are checked at the same time'
      return {
        found: Promise.reject(authErrors.KEYS_UNAVAILABLE({ message, retryAfterSeconds: 1 })),
        waited: undefined,
      }
    }
    const found = this.#find(credentials, parse(credentials)).finally(() => this.#lookups.delete(credentials))
    const lookup = { found, waited: undefined }
    this.#lookups.set(credentials, lookup)
    return lookup
  }

  async #find(credentials: string, key: string | undefined): Promise<Principal> {
    if (key === undefined) throw authErrors.KEY_MISSING()
    for (;;) {
      const { generation } = this.#cache
      const found = await this.#select(key)
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

  async #select(key: string) {
    try {
      const found = await selectKeyByHash(this.#database, hashApiKey(key))
      this.#noteAnswer()
      return found
    } catch (error) {
      if (databaseErrors.DATABASE_STATEMENT_ERROR.matches(error)) throw error
      this.#outcomes?.unavailable.inc()
      this.#noteSilence()
      return 'unavailable'
    }
  }

  #principalInOutage(credentials: string): Principal {
    const entry = this.#cache.get(credentials)
    if (entry && this.#now() < entry.graceUntil) return entry.principal
    throw authErrors.KEYS_UNAVAILABLE({ retryAfterSeconds: 5 })
  }
}

/** Takes the key out of the credentials. */
type Parse = (credentials: string) => string | undefined

interface Lookup {
  /** Settles when the database answers. */
  readonly found: Promise<Principal>
  /** The same, or KEYS_UNAVAILABLE after `lookupWaitMs`. */
  waited: Promise<Principal> | undefined
}

/** The principal, or what `late` makes of a look-up that takes longer than `ms`. The look-up goes on and fills the cache when it ends. */
function waitFor(found: Promise<Principal>, ms: number, late: () => Principal): Promise<Principal> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      try {
        resolve(late())
      } catch (error) {
        reject(error as Error)
      }
    }, ms)
    found.then(resolve, reject).finally(() => clearTimeout(timer))
  })
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
