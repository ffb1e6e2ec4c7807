import { createHash } from 'node:crypto'
import type { Cache, Hit, Load, Namespace, ReadOptions } from '@millrace/cache'
import { NORMAL_DELAY_MS } from '@millrace/contracts'
import { tagsOfRange } from '../invalidation/answer-tags.js'
import type { InvalidationState } from '../invalidation/invalidation-state.js'
import type { Answer, ParsedQuery } from '../kinds/query-kind.js'
import { mayAnswerStale } from './may-answer-stale.js'
import { answerCodec, type CacheEntry, etagOf, type StoredAnswer } from './stored-answer.js'

/**
 * An answer over an open range that is no older than this is returned at once and read again in the background, in ms.
 */
export const OPEN_STALE_MS = 10_000
/**
 * Equals the gRPC message limit, so every answer that can be sent can be cached. 10,000 points with three groups and
 * six values take 3.3 MiB.
 */
const ANSWER_BYTES_MAX = 16 * 2 ** 20
/** When late events were read longer ago than this, in ms, answers over closed ranges are marked stale. */
const UNSEEN_MS_MAX = 5_000

export interface AnswerCacheConfig {
  /** How long an answer over a closed range is cached unless a late event invalidates it, in ms. */
  readonly closedMs: number
  /** How long an answer over an open range is cached, in ms. */
  readonly openMs: number
  /** How long beyond that an answer is kept as a stale answer, in ms. */
  readonly staleMs: number
}

export interface AnswerRequest {
  readonly tenantId: number
  readonly query: ParsedQuery
  /** Reads the answer. Callers with an equal query share it, so it must not be cancelled with one caller's call. */
  readonly run: (signal: AbortSignal) => Promise<Answer>
  readonly isFresh: boolean
  readonly minWatermarkMs: number | undefined
}

export interface ServedAnswer {
  readonly answer: StoredAnswer
  readonly source: StoredAnswer['source'] | 'memory' | 'redis'
  readonly ageMs: number
  /** Whether it may not be current: its refresh failed, or late events could not be read. */
  readonly isStale: boolean
}

/**
 * Returns cached answers while they are current. An answer over a closed range (one that ends `NORMAL_DELAY_MS` or more
 * before the watermark) can only be changed by a late event, and is invalidated by its tags then. An answer over an
 * open range is cached for a second.
 */
export class AnswerCache {
  readonly #config: AnswerCacheConfig
  readonly #state: () => InvalidationState
  readonly #closed: Namespace<CacheEntry>
  readonly #open: Namespace<CacheEntry>

  constructor(
    config: AnswerCacheConfig,
    deps: { readonly cache: Cache; readonly invalidation: () => InvalidationState },
  ) {
    this.#config = config
    this.#state = deps.invalidation
    const { closedMs, openMs, staleMs } = config
    const shared = { codec: answerCodec, staleMs, remembersPopular: false, entryBytesMax: ANSWER_BYTES_MAX }
    this.#closed = deps.cache.namespace('closed', { ...shared, level: 'cold', ttlMs: closedMs })
    this.#open = deps.cache.namespace('open', { ...shared, level: 'hot', ttlMs: openMs })
  }

  /** @throws what reading throws, when there is no stale answer to return instead */
  async answer(request: AnswerRequest): Promise<ServedAnswer> {
    const { query, tenantId, isFresh, minWatermarkMs } = request
    const isClosed = query.toMs + NORMAL_DELAY_MS <= this.#state().watermarkMs
    const namespace = isClosed ? this.#closed : this.#open
    const key = `t${tenantId}.${createHash('sha256').update(query.canonicalKey).digest('base64url')}`
    const read: ReadOptions<CacheEntry> = {
      isFresh,
      accept: (outcome) => 'error' in outcome || isNewEnough(outcome, minWatermarkMs),
    }
    const loader = this.#loader(request, isClosed)
    let isOwn = false
    const load: Load<CacheEntry> = (context) => {
      isOwn = true
      return loader(context)
    }
    try {
      let hit = await namespace.getOrSet(key, load, read)
      const isWorthWaiting = hit.isStale && hit.ageMs > this.#config.openMs + OPEN_STALE_MS
      if (isWorthWaiting) hit = await namespace.getOrSet(key, load, { ...read, softTimeoutMs: Number.MAX_SAFE_INTEGER })
      return this.#serve(hit, isOwn)
    } catch (error) {
      if (!isClosed || isFresh || !mayAnswerStale(error)) throw error
      return await this.#serveFromOpen(key, error, read)
    }
  }

  /**
   * The last answer from the time when the range was open. Late events do not invalidate it, so it is always stale.
   * @throws `error` when there is none
   */
  async #serveFromOpen(key: string, error: unknown, read: ReadOptions<CacheEntry>): Promise<ServedAnswer> {
    const hit = await this.#open.getOrSet(key, () => Promise.reject(error), read)
    return { ...this.#serve(hit, false), isStale: true }
  }

  /** Invalidates all answers with one of the tags. Resolves to whether Redis has confirmed it. */
  async invalidate(tags: readonly string[]): Promise<boolean> {
    return (await this.#closed.invalidateTags(tags)).reach === 'everywhere'
  }

  /** As invalidate, for all answers. */
  async invalidateAll(): Promise<boolean> {
    return (await this.#closed.invalidateAll()).reach === 'everywhere'
  }

  /** Tags take effect from the start of the loader, so they can be set once the answer is there. */
  #loader({ tenantId, query, run }: AnswerRequest, isKeptLong: boolean): Load<CacheEntry> {
    return async (context) => {
      let answer: Answer
      try {
        answer = await run(context.signal)
      } catch (error) {
        if (mayAnswerStale(error)) throw error
        context.skip()
        return { error }
      }
      const stored = toStored(answer, query)
      if (!isKeptLong) return stored
      const tags = stored.isClosed ? tagsOfRange(tenantId, query.events, query) : undefined
      if (tags === undefined) context.expire(this.#config.openMs)
      else context.tag(...tags)
      return stored
    }
  }

  /** A load that another caller started may be older than this call, which counts in the age. */
  #serve({ value, source, ageMs, isStale }: Hit<CacheEntry>, isOwn: boolean): ServedAnswer {
    if ('error' in value) throw value.error
    if (source === 'source') {
      return { answer: value, source: value.source, ageMs: isOwn ? value.ageMs : value.ageMs + ageMs, isStale: false }
    }
    const isOld = isStale && ageMs > this.#config.openMs + OPEN_STALE_MS
    return { answer: value, source, ageMs: value.ageMs + ageMs, isStale: isOld || this.#isUnseen(value) }
  }

  #isUnseen({ isClosed }: StoredAnswer): boolean {
    return isClosed && this.#state().unseenMs > UNSEEN_MS_MAX
  }
}

/** An answer as the bytes that are sent. */
export function toStored({ data, summary, nextCursor, meta }: Answer, query: ParsedQuery): StoredAnswer {
  const dataJson = Buffer.from(JSON.stringify(data))
  const summaryJson = summary === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(summary))
  const { source, ageMs, watermarkMs } = meta
  return {
    dataJson,
    summaryJson,
    nextCursor,
    etag: etagOf([dataJson, summaryJson, nextCursor]),
    source,
    ageMs,
    watermarkMs,
    isClosed: ageMs === 0 && watermarkMs !== null && query.toMs + NORMAL_DELAY_MS <= watermarkMs,
  }
}

function isNewEnough({ watermarkMs }: StoredAnswer, minWatermarkMs: number | undefined): boolean {
  return minWatermarkMs === undefined || (watermarkMs !== null && watermarkMs >= minWatermarkMs)
}
