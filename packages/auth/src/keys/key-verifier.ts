import { HOUR_MS } from '@millrace/contracts'
import { type Database, databaseErrors } from '@millrace/database'
import { type Logger, silentLogger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { CounterChild, Metrics } from '@millrace/telemetry'
import { authErrors } from '../errors.js'
import { hashApiKey, hintOf } from './api-key.js'
import { type CacheEntry, KeyCache } from './key-cache.js'
import { watchKeys } from './key-channel.js'
import { selectKeyByHash } from './key-queries.js'
import { parseAuthorization } from './parse-authorization.js'
import type { Principal } from './principal.js'

export interface KeyVerifierConfig {
  /** How long an answer holds, in ms: within it a revocation that was not heard of takes effect. Default 30,000. */
  readonly positiveTtlMs?: number | undefined
  /** How long a refusal holds, in ms. Default 5,000. */
  readonly negativeTtlMs?: number | undefined
  /** How long beyond that known keys are let in while PostgreSQL cannot be asked, in ms. Default 3,600,000. */
  readonly outageGraceMs?: number | undefined
  /** Keys remembered, and refusals remembered besides. Default 10,000. */
  readonly entriesMax?: number | undefined
  /** Unknown keys asked about at a time; more are answered with KEYS_UNAVAILABLE. Default 100. */
  readonly lookupsMax?: number | undefined
}

export interface KeyVerifierDeps {
  readonly database: Pick<Database, 'query'>
  /** For revocations that take effect at once. */
  readonly redis?: RedisConnection | undefined
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly now?: (() => number) | undefined
}

/**
 * Says who is calling. Known keys are answered at once, without a promise, in well under a microsecond; each is confirmed in the background
 * before its answer ends, so a key in use never waits for the database.
 */
export interface KeyVerifier {
  /**
   * The caller of a request with this Authorization header, at once or as a promise.
   * @throws authErrors.KEY_MISSING, KEY_INVALID, KEYS_UNAVAILABLE; at once or by rejecting, so await it inside a try
   */
  verify(authorization: string | undefined): Principal | Promise<Principal>
  /** The same for a key on its own, such as `writeKey` in a body. */
  verifyKey(key: string): Principal | Promise<Principal>
  /** Drops the subscription. */
  close(): Promise<void>
}

/** After the database could not be asked, a known key is not asked about again for so long. */
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
    // A refusal or an outage shows when the answer ends; here nobody waits for it.
    this.#lookUp(credentials, parse).catch(() => undefined)
  }

  /** One question at a time about the same credentials. */
  #lookUp(credentials: string, parse: (credentials: string) => string | undefined): Promise<Principal> {
    const running = this.#lookups.get(credentials)
    if (running) return running
    if (this.#lookups.size >= this.#lookupsMax) {
      return Promise.reject(
        authErrors.KEYS_UNAVAILABLE({ message: 'too many unknown API keys at a time', retryAfterSeconds: 1 }),
      )
    }
    const lookup = this.#ask(credentials, parse(credentials)).finally(() => this.#lookups.delete(credentials))
    this.#lookups.set(credentials, lookup)
    return lookup
  }

  async #ask(credentials: string, key: string | undefined): Promise<Principal> {
    if (key === undefined) throw authErrors.KEY_MISSING()
    for (;;) {
      const { generation } = this.#cache
      const found = await this.#select(credentials, key)
      if (found === 'unavailable') return this.#answerInOutage(credentials)
      // A key changed while we asked: the answer may be older than the change.
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

  #answerInOutage(credentials: string): Principal {
    const entry = this.#cache.get(credentials)
    if (entry && this.#now() < entry.graceUntil) return entry.principal
    throw authErrors.KEYS_UNAVAILABLE({ retryAfterSeconds: 5 })
  }
}

function createOutcomes(metrics: Metrics) {
  const lookups = metrics.counter({
    name: 'millrace_auth_key_lookups_total',
    help: 'API keys looked up in the database',
    labels: ['outcome'] as const,
  })
  return {
    found: lookups.with({ outcome: 'found' }),
    refused: lookups.with({ outcome: 'refused' }),
    unavailable: lookups.with({ outcome: 'unavailable' }),
  }
}
