import { DAY_MS, RunQueryRequest } from '@millrace/contracts'
import type { RedisConnection } from '@millrace/redis'

/** Questions counted at a time; beyond it those that were asked once are forgotten. */
const COUNTED_MAX = 2_000
/** Questions told at a time and remembered of a day, most popular first. */
const REMEMBERED_MAX = 256
/** Questions that a start is told of. */
const TOLD_MAX = 50
/** Days whose questions count; one of them half as much as the day after it. */
const DAYS = 7

interface Counted {
  readonly tenantId: number
  readonly request: RunQueryRequest
  hits: number
}

export interface PopularQuestion {
  readonly tenantId: number
  readonly request: RunQueryRequest
}

/**
 * Which questions are asked most, as they were asked: one about the last day is about the last day again when it is warmed. All processes add to one
 * count a day in Redis. Further pages are no questions of their own: their place is worth nothing to whoever begins anew.
 */
export class PopularQuestions {
  readonly #key: string
  readonly #now: () => number
  #counted = new Map<string, Counted>()

  /** `key`: what Redis remembers them by, with the day behind it. `now`: ms since 1970. */
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

  /** Adds what was asked since the last time to what all processes remember. When Redis cannot be told, it counts half next time. */
  async save(redis: RedisConnection): Promise<void> {
    const totals = new Map<string, number>()
    for (const { tenantId, request, hits } of this.#counted.values()) {
      const text = `${tenantId} ${Buffer.from(RunQueryRequest.encode(request).finish()).toString('base64')}`
      totals.set(text, (totals.get(text) ?? 0) + hits)
    }
    if (totals.size === 0) return
    const told = this.#counted
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
      this.#putBack(told)
      throw error
    }
  }

  /** Those that all processes were asked most of late, most popular first. */
  async load(redis: RedisConnection): Promise<PopularQuestion[]> {
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
    return mostOf(totals, TOLD_MAX).map(([text]) => {
      const [tenantId, encoded] = text.split(' ')
      return { tenantId: Number(tenantId), request: RunQueryRequest.decode(Buffer.from(encoded ?? '', 'base64')) }
    })
  }

  #keyOf(daysAgo: number): string {
    return `${this.#key}:${new Date(this.#now() - daysAgo * DAY_MS).toISOString().slice(0, 10)}`
  }

  #putBack(told: ReadonlyMap<string, Counted>): void {
    for (const [key, counted] of told) {
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
