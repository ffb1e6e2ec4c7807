import { DAY_MS, RunQueryRequest } from '@millrace/contracts'
import type { RedisConnection } from '@millrace/redis'

/** Maximum queries counted in memory; beyond it all counts are halved, which removes the rare ones. */
const COUNTED_MAX = 2_000
/** Maximum queries saved at a time, and kept in Redis per day, the most frequent ones. */
const REMEMBERED_MAX = 256
/** Maximum queries loaded at a start. */
const LOADED_MAX = 50
/** Days that count; each counts half as much as the day after it. */
const DAYS = 7

interface Counted {
  readonly tenantId: number
  readonly request: RunQueryRequest
  hits: number
}

export interface PopularQuery {
  readonly tenantId: number
  readonly request: RunQueryRequest
}

/**
 * Counts queries, to warm the cache with the most frequent ones after a start. Keeps the request as it was sent: a
 * query over the last 24 hours is about the last 24 hours again when it is warmed. All processes add to one count per
 * day in Redis. Only first pages count.
 */
export class PopularQueries {
  readonly #key: string
  readonly #now: () => number
  #counted = new Map<string, Counted>()

  /** `key`: prefix of the Redis keys; the day follows. `now`: ms since 1970. */
  constructor(key: string, now: () => number) {
    this.#key = key
    this.#now = now
  }

  note(canonicalKey: string, tenantId: number, request: RunQueryRequest): void {
    if (request.cursor !== '') return
    const known = this.#counted.get(canonicalKey)
    if (known !== undefined) known.hits++
    else {
      if (this.#counted.size >= COUNTED_MAX) this.#fade()
      this.#counted.set(canonicalKey, { tenantId, request, hits: 1 })
    }
  }

  /**
   * Adds the counts since the last call to those in Redis. When that fails, they are halved and kept for the next call.
   */
  async save(redis: RedisConnection): Promise<void> {
    const totals = new Map<string, number>()
    for (const { tenantId, request, hits } of this.#counted.values()) {
      const text = `${tenantId} ${Buffer.from(RunQueryRequest.encode(request).finish()).toString('base64')}`
      totals.set(text, (totals.get(text) ?? 0) + hits)
    }
    if (totals.size === 0) return
    const saved = this.#counted
    this.#counted = new Map()
    const key = this.#keyOf(0)
    const all = redis.client.multi()
    for (const [text, hits] of mostOf(totals, REMEMBERED_MAX)) all.zincrby(key, hits, text)
    try {
      const outcomes = await all
        .zremrangebyrank(key, 0, -1 - REMEMBERED_MAX)
        .pexpire(key, (DAYS + 1) * DAY_MS)
        .exec()
      const error = outcomes?.find(([fault]) => fault !== null)?.[0]
      if (error) throw error
    } catch (error) {
      this.#putBack(saved)
      throw error
    }
  }

  /** The most frequent queries of all processes in the last days, most frequent first. */
  async load(redis: RedisConnection): Promise<PopularQuery[]> {
    const days = await Promise.all(
      Array.from({ length: DAYS }, (_, age) =>
        redis.client.zrevrange(this.#keyOf(age), 0, REMEMBERED_MAX - 1, 'WITHSCORES'),
      ),
    )
    const totals = new Map<string, number>()
    for (const [age, pairs] of days.entries())
      for (let at = 0; at < pairs.length; at += 2) {
        const text = pairs[at] as string
        totals.set(text, (totals.get(text) ?? 0) + Number(pairs[at + 1]) / 2 ** age)
      }
    return mostOf(totals, LOADED_MAX).map(([text]) => {
      const [tenantId, encoded] = text.split(' ')
      return { tenantId: Number(tenantId), request: RunQueryRequest.decode(Buffer.from(encoded ?? '', 'base64')) }
    })
  }

  #keyOf(daysAgo: number): string {
    return `${this.#key}:${new Date(this.#now() - daysAgo * DAY_MS).toISOString().slice(0, 10)}`
  }

  #putBack(saved: ReadonlyMap<string, Counted>): void {
    for (const [key, counted] of saved) {
      const known = this.#counted.get(key)
      if (known === undefined) this.#counted.set(key, counted)
      else known.hits += counted.hits
    }
    this.#fade()
  }

  #fade(): void {
    for (const [key, counted] of this.#counted) {
      counted.hits = Math.floor(counted.hits / 2)
      if (counted.hits === 0) this.#counted.delete(key)
    }
  }
}

function mostOf(totals: ReadonlyMap<string, number>, count: number): [string, number][] {
  return [...totals].sort(([, a], [, b]) => b - a).slice(0, count)
}
