import { createHash } from 'node:crypto'
import type { Cache, Hit, Load, Namespace, ReadOptions } from '@millrace/cache'
import { NORMAL_DELAY_MS } from '@millrace/contracts'
import { tagsOfRange } from '../invalidation/answer-tags.js'
import type { Horizon } from '../invalidation/horizon.js'
import type { Answer, ParsedQuery } from '../kinds/query-kind.js'
import { mayAnswerStale } from './may-answer-stale.js'
import { answerCodec, etagOf, type Outcome, type StoredAnswer } from './stored-answer.js'

/** An answer over an open range that is no older than this is given at once and read again behind the reader's back, in ms. */
export const OPEN_STALE_MS = 10_000
/**
 * What may be answered may be kept: a gRPC message is no larger. 10,000 points with three groups and six values take 3.3 MiB, more only where the groups
 * are longer texts than names.
 */
const ANSWER_BYTES_MAX = 16 * 2 ** 20
/** Raised when stored answers, or the cursors in them, change their form. */
const ANSWER_VERSION = 2
/** After so long without a look at what late events changed, in ms, an answer is no longer called the present one. */
const UNSEEN_MS_MAX = 5_000

export interface AnswerCacheConfig {
  /** How long an answer over a closed range is kept unless a late event drops it, in ms. */
  readonly closedMs: number
  /** How long one over an open range is as good as new, in ms. */
  readonly openMs: number
  /** So much longer an answer is kept to stand in for one that cannot be had, in ms. */
  readonly staleMs: number
}

export interface Question {
  readonly tenantId: number
  readonly query: ParsedQuery
  /** Reads the answer. Whoever asks the same meanwhile gets it too, so it must not end with one caller's call. */
  readonly run: (signal: AbortSignal) => Promise<Answer>
  readonly isFresh: boolean
  readonly minWatermarkMs: number | undefined
}

export interface GivenAnswer {
  readonly answer: StoredAnswer
  readonly source: StoredAnswer['source'] | 'memory' | 'redis'
  readonly ageMs: number
  /** It stands in for one that could not be had now. */
  readonly isStale: boolean
}

/**
 * Answers that were given before, as long as they are right. A closed range (it ends `NORMAL_DELAY_MS` or more before the watermark) can only be
 * changed by a late event, and then its tags drop it; an open range is answered again every second.
 */
export class AnswerCache {
  readonly #config: AnswerCacheConfig
  readonly #horizon: () => Horizon
  readonly #closed: Namespace<Outcome>
  readonly #open: Namespace<Outcome>

  constructor(config: AnswerCacheConfig, deps: { readonly cache: Cache; readonly horizon: () => Horizon }) {
    this.#config = config
    this.#horizon = deps.horizon
    const { closedMs, openMs, staleMs } = config
    const shared = { codec: answerCodec, staleMs, remembersPopular: false, entryBytesMax: ANSWER_BYTES_MAX }
    this.#closed = deps.cache.namespace('closed', { ...shared, level: 'cold', ttlMs: closedMs })
    this.#open = deps.cache.namespace('open', { ...shared, level: 'hot', ttlMs: openMs })
  }

  /** @throws whatever reading throws when no older answer may stand in. */
  async answer(question: Question): Promise<GivenAnswer> {
    const { query, tenantId, isFresh, minWatermarkMs } = question
    const isClosed = query.toMs + NORMAL_DELAY_MS <= this.#horizon().watermarkMs
    const namespace = isClosed ? this.#closed : this.#open
    const key = `t${tenantId}.${createHash('sha256').update(`${ANSWER_VERSION} ${query.canonicalKey}`).digest('base64url')}`
    const read: ReadOptions<Outcome> = {
      isFresh,
      accept: (outcome) => 'refused' in outcome || isNewEnough(outcome, minWatermarkMs),
    }
    const loader = this.#loader(question, isClosed)
    let isOwn = false
    const load: Load<Outcome> = (context) => {
      isOwn = true
      return loader(context)
    }
    try {
      let hit = await namespace.getOrSet(key, load, read)
      const isWorthWaiting = hit.isStale && hit.ageMs > this.#config.openMs + OPEN_STALE_MS
      if (isWorthWaiting) hit = await namespace.getOrSet(key, load, { ...read, softTimeoutMs: Number.MAX_SAFE_INTEGER })
      return this.#give(hit, isOwn)
    } catch (error) {
      if (!isClosed || isFresh || !mayAnswerStale(error)) throw error
      return await this.#giveFromWhenOpen(key, error, read)
    }
  }

  /** What was last said of a range while it was open; no late event has dropped that, so it is stale however young. @throws the error when there is none */
  async #giveFromWhenOpen(key: string, error: unknown, read: ReadOptions<Outcome>): Promise<GivenAnswer> {
    const hit = await this.#open.getOrSet(key, () => Promise.reject(error), read)
    return { ...this.#give(hit, false), isStale: true }
  }

  /** Drops every answer that bears one of the tags; resolves to whether Redis has heard of it. */
  async drop(tags: readonly string[]): Promise<boolean> {
    return (await this.#closed.invalidateTags(tags)).reach === 'everywhere'
  }

  async dropAll(): Promise<boolean> {
    return (await this.#closed.invalidateAll()).reach === 'everywhere'
  }

  /** Tags hold from the moment the loader began, so they are named when there is an answer to keep. */
  #loader({ tenantId, query, run }: Question, isKeptLong: boolean): Load<Outcome> {
    return async (context) => {
      let answer: Answer
      try {
        answer = await run(context.signal)
      } catch (error) {
        if (mayAnswerStale(error)) throw error
        context.skip()
        return { refused: error }
      }
      const stored = toStored(answer, query)
      if (!isKeptLong) return stored
      const tags = stored.isClosed ? tagsOfRange(tenantId, query.events, query) : undefined
      if (tags === undefined) context.expire(this.#config.openMs)
      else context.tag(...tags)
      return stored
    }
  }

  /** A reading that somebody else had begun may have begun before what the asker knows of was stored. */
  #give({ value, source, ageMs, isStale }: Hit<Outcome>, isOwn: boolean): GivenAnswer {
    if ('refused' in value) throw value.refused
    if (source === 'source') {
      return { answer: value, source: value.source, ageMs: isOwn ? value.ageMs : value.ageMs + ageMs, isStale: false }
    }
    const isOld = isStale && ageMs > this.#config.openMs + OPEN_STALE_MS
    return { answer: value, source, ageMs: value.ageMs + ageMs, isStale: isOld || this.#isUnseen(value) }
  }

  #isUnseen({ isClosed }: StoredAnswer): boolean {
    return isClosed && this.#horizon().unseenMs > UNSEEN_MS_MAX
  }
}

/** The answer's bytes, as they go out. */
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
