import { rejectionsKey } from '@millrace/contracts'
import { bindCursor, type CursorValue, decodePosition, encodePosition, unbindCursor } from '@millrace/pagination'
import { type RedisConnection, toRedisError } from '@millrace/redis'
import type { KeptRejection } from './kept-rejection.js'

export interface StoreConfig {
  /** Rejections of one tenant. */
  readonly keptMax: number
  readonly keptMs: number
}

/** Selects rejections. Absent fields select all. */
export interface RejectionFilter {
  readonly code?: string | undefined
  readonly since?: Date | undefined
  readonly limit: number
  /** `nextCursor` of the page before; empty for the first page. */
  readonly cursor: string
}

export interface RejectionPage {
  readonly data: readonly KeptRejection[]
  /** Empty on the last page. */
  readonly nextCursor: string
}

/** Entries that one command reads. */
const READ_MAX = 500
/** How far the clocks of a gateway and of Redis may differ, and how long a rejection may wait for its flush. */
const CLOCK_MARGIN_MS = 5 * 60_000

/**
 * The kept rejections of all tenants: a Redis stream for each tenant, which every gateway appends to. A stream ends at its length and its age, whichever
 * comes first, and expires when nothing was rejected for as long as that age.
 */
export class RejectionStore {
  readonly #config: StoreConfig
  readonly #redis: RedisConnection
  readonly #now: () => number

  /** `now` is in milliseconds since 1970. */
  constructor(config: StoreConfig, { redis, now }: { redis: RedisConnection; now: () => number }) {
    this.#config = config
    this.#redis = redis
    this.#now = now
  }

  /** Appends rejections as JSON texts. @throws REDIS_UNAVAILABLE and other errors of Redis; then some of them may be stored */
  async append(tenantId: number, rejections: readonly string[]): Promise<void> {
    const key = rejectionsKey(tenantId)
    const { keptMax, keptMs } = this.#config
    try {
      const pipeline = this.#redis.client.pipeline()
      for (const text of rejections) pipeline.xadd(key, 'MAXLEN', '=', keptMax, '*', 'r', text)
      pipeline.xtrim(key, 'MINID', '=', String(this.#now() - keptMs))
      pipeline.pexpire(key, keptMs)
      const failed = (await pipeline.exec())?.find(([error]) => error !== null)?.[0]
      if (failed) throw failed
    } catch (error) {
      throw toRedisError('keeping rejections', error)
    }
  }

  /** One page, newest first, in the order in which Redis got them. @throws INVALID_CURSOR and errors of Redis */
  async list(tenantId: number, { code, since, limit, cursor }: RejectionFilter): Promise<RejectionPage> {
    const query = ['rejections', tenantId, code ?? '', since?.getTime() ?? 0]
    const position = decodePosition(unbindCursor(cursor, query), isPosition)
    const oldest = Math.max(0, this.#now() - this.#config.keptMs, (since?.getTime() ?? 0) - CLOCK_MARGIN_MS)
    const found: { readonly id: string; readonly rejection: KeptRejection }[] = []
    for (let end = position === null ? '+' : `(${position[0]}`; ; ) {
      const entries = await this.#read(tenantId, end, String(oldest))
      for (const [id, [, text = '']] of entries) {
        const rejection = JSON.parse(text) as KeptRejection
        if (code !== undefined && rejection.code !== code) continue
        if (since !== undefined && Date.parse(rejection.time) < since.getTime()) continue
        found.push({ id, rejection })
      }
      const last = entries.at(-1)
      if (last === undefined || entries.length < READ_MAX || found.length > limit) break
      end = `(${last[0]}`
    }
    const page = found.slice(0, limit)
    const last = found.length > limit ? page.at(-1) : undefined
    return {
      data: page.map(({ rejection }) => rejection),
      nextCursor: last === undefined ? '' : bindCursor(encodePosition([last.id]), query),
    }
  }

  async #read(tenantId: number, end: string, start: string): Promise<[id: string, fields: string[]][]> {
    try {
      return await this.#redis.client.xrevrange(rejectionsKey(tenantId), end, start, 'COUNT', READ_MAX)
    } catch (error) {
      throw toRedisError('reading rejections', error)
    }
  }
}

function isPosition(values: readonly CursorValue[]): values is readonly [string] {
  return values.length === 1 && typeof values[0] === 'string' && /^\d{1,15}-\d{1,15}$/.test(values[0])
}
