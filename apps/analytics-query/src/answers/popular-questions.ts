import { RunQueryRequest } from '@millrace/contracts'
import type { RedisConnection } from '@millrace/redis'

/** Questions counted at a time; beyond it those that were asked once are forgotten. */
const COUNTED_MAX = 2_000
/** Questions remembered for the next start. */
const KEPT = 50

interface Counted {
  readonly tenantId: number
  readonly request: RunQueryRequest
  hits: number
}

export interface PopularQuestion {
  readonly tenantId: number
  readonly request: RunQueryRequest
}

/** Which questions are asked most, as they were asked: one about the last day is about the last day again when it is warmed. */
export class PopularQuestions {
  readonly #key: string
  readonly #counted = new Map<string, Counted>()

  /** `key`: where Redis remembers them. */
  constructor(key: string) {
    this.#key = key
  }

  note(canonicalKey: string, tenantId: number, request: RunQueryRequest): void {
    const known = this.#counted.get(canonicalKey)
    if (known !== undefined) known.hits++
    else {
      if (this.#counted.size >= COUNTED_MAX) this.#fade()
      this.#counted.set(canonicalKey, { tenantId, request, hits: 1 })
    }
  }

  /** Remembers the most popular ones of this process in Redis, and lets what was asked before count half. */
  async save(redis: RedisConnection): Promise<void> {
    const totals = new Map<string, number>()
    for (const { tenantId, request, hits } of this.#counted.values()) {
      const text = `${tenantId} ${Buffer.from(RunQueryRequest.encode(request).finish()).toString('base64')}`
      totals.set(text, (totals.get(text) ?? 0) + hits)
    }
    this.#fade()
    if (totals.size === 0) return
    const most = [...totals].sort(([, a], [, b]) => b - a).slice(0, KEPT)
    await redis.client.set(this.#key, JSON.stringify(most.map(([text]) => text)))
  }

  /** Those that any process remembered last, most popular first. */
  async load(redis: RedisConnection): Promise<PopularQuestion[]> {
    const text = await redis.client.get(this.#key)
    if (text === null) return []
    return (JSON.parse(text) as string[]).map((line) => {
      const [tenantId, encoded] = line.split(' ')
      return { tenantId: Number(tenantId), request: RunQueryRequest.decode(Buffer.from(encoded ?? '', 'base64')) }
    })
  }

  #fade(): void {
    for (const [key, counted] of this.#counted) {
      counted.hits = Math.floor(counted.hits / 2)
      if (counted.hits === 0) this.#counted.delete(key)
    }
  }
}
