import type { TenantLimits } from '../limits/tenant-limits.js'
import type { FoundKey } from './key-queries.js'
import type { Principal } from './principal.js'

/** What the cache holds for one key. All times are in ms of the clock that is passed in. */
export interface CacheEntry {
  readonly principal: Principal
  /** Until then the entry is used without a look-up. */
  readonly freshUntil: number
  /** From then on the next use starts a look-up in the background, so that a key in use never waits. */
  refreshAt: number
  /** Until then the entry is used while the database does not answer. */
  readonly graceUntil: number
}

export interface KeyCacheConfig {
  readonly positiveTtlMs: number
  readonly negativeTtlMs: number
  readonly outageGraceMs: number
  readonly entriesMax: number
}

/** Results by the credentials that the caller sent. Bounded: the oldest entry is evicted first, and refused credentials never evict valid keys. */
export class KeyCache {
  readonly #config: KeyCacheConfig
  readonly #found = new Map<string, CacheEntry>()
  /** Until when each refused credential is refused without a look-up. */
  readonly #refused = new Map<string, number>()
  /** Grows with each change, so that the result of a look-up that began before a change is not cached after it. */
  generation = 0

  constructor(config: KeyCacheConfig) {
    this.#config = config
  }

  get(credentials: string): CacheEntry | undefined {
    return this.#found.get(credentials)
  }

  isRefused(credentials: string, now: number): boolean {
    const until = this.#refused.get(credentials)
    return until !== undefined && now < until
  }

  keep(credentials: string, { principal, expiresAt }: FoundKey, now: number): void {
    const end = expiresAt?.getTime() ?? Number.POSITIVE_INFINITY
    const { positiveTtlMs, outageGraceMs } = this.#config
    this.#refused.delete(credentials)
    this.#put(this.#found, credentials, {
      principal,
      freshUntil: Math.min(now + positiveTtlMs, end),
      refreshAt: now + (positiveTtlMs * 2) / 3,
      graceUntil: Math.min(now + positiveTtlMs + outageGraceMs, end),
    })
  }

  refuse(credentials: string, now: number): void {
    this.#found.delete(credentials)
    this.#put(this.#refused, credentials, now + this.#config.negativeTtlMs)
  }

  /** Forgets a key that was created, changed or revoked, and all refusals, because a refused key may be valid now. */
  drop(keyId: string): void {
    this.generation++
    this.#refused.clear()
    for (const [credentials, entry] of this.#found) if (entry.principal.keyId === keyId) this.#found.delete(credentials)
  }

  /** The limits of a tenant were changed: its cached keys carry the new ones from now on. */
  changeLimits(tenantId: number, limits: TenantLimits): void {
    this.generation++
    for (const [credentials, entry] of this.#found) {
      const { principal } = entry
      // A look-up that began later may have brought newer limits already.
      if (principal.tenantId === tenantId && (principal.limits.version ?? 0) < (limits.version ?? 0))
        this.#found.set(credentials, { ...entry, principal: { ...principal, limits } })
    }
  }

  /** Changes may have been missed: every key is looked up again before its next use. */
  expire(): void {
    this.generation++
    this.#refused.clear()
    for (const [credentials, entry] of this.#found)
      this.#found.set(credentials, { ...entry, freshUntil: 0, refreshAt: 0 })
  }

  #put<T>(map: Map<string, T>, credentials: string, value: T): void {
    map.delete(credentials)
    map.set(credentials, value)
    if (map.size > this.#config.entriesMax) map.delete(map.keys().next().value as string)
  }
}
