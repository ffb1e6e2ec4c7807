import type { FoundKey } from './key-queries.js'
import type { Principal } from './principal.js'

/** What we know of one key. Times are the clock's, in ms. */
export interface CacheEntry {
  readonly principal: Principal
  /** Confirmed answers are given without asking until then. */
  readonly freshUntil: number
  /** When to ask again, in the background, so that a key in use never waits. */
  refreshAt: number
  /** Unconfirmed answers are given until then while the database cannot be asked. */
  readonly graceUntil: number
  /** Not asked again before this, after the database could not be asked. */
  retryAt: number
}

export interface KeyCacheConfig {
  readonly positiveTtlMs: number
  readonly negativeTtlMs: number
  readonly outageGraceMs: number
  readonly entriesMax: number
}

/** Answers by what the caller sent. Bounded: the oldest goes first, and refusals can never push out good keys. */
export class KeyCache {
  readonly #config: KeyCacheConfig
  readonly #found = new Map<string, CacheEntry>()
  /** When each refusal ends. */
  readonly #refused = new Map<string, number>()
  /** Rises with each change, so that an answer asked for before a change is not kept after it. */
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
      retryAt: 0,
    })
  }

  refuse(credentials: string, now: number): void {
    this.#found.delete(credentials)
    this.#put(this.#refused, credentials, now + this.#config.negativeTtlMs)
  }

  /** A key was made, changed or revoked. */
  drop(keyId: string): void {
    this.generation++
    this.#refused.clear()
    for (const [credentials, entry] of this.#found) if (entry.principal.keyId === keyId) this.#found.delete(credentials)
  }

  /** Changes may have gone unheard: every answer is to be confirmed before it is given again. */
  expire(): void {
    this.generation++
    this.#refused.clear()
    for (const [credentials, entry] of this.#found)
      this.#found.set(credentials, { ...entry, freshUntil: 0, refreshAt: 0, retryAt: 0 })
  }

  #put<T>(map: Map<string, T>, credentials: string, value: T): void {
    map.delete(credentials)
    map.set(credentials, value)
    if (map.size > this.#config.entriesMax) map.delete(map.keys().next().value as string)
  }
}
