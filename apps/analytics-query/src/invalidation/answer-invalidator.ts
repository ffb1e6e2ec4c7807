import { DAY_MS, LATE_NOTICES_KEPT_MS, type LateDay } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import { tagsOfDay } from './answer-tags.js'
import type { InvalidationState } from './invalidation-state.js'
import type { LateEventReader, LatePosition } from './late-event-reader.js'

/** When late events changed more days than this at once, all answers are invalidated: that is quicker than by tags. */
const WINDOWS_MAX = 5_000
/** Messages within this time cause one reading. */
const SOON_MS = 50
/** The position in Redis is renewed after this time even without changes, since its time tells how old it is. */
const SAVE_MS = 10_000

type Tags = readonly string[] | 'all'

export interface AnswerInvalidatorConfig {
  /** Time between two readings, in ms. */
  readonly everyMs: number
  /** Redis key of the position up to which all changes have been applied to the answers in Redis, by any process. */
  readonly cursorKey: string
}

export interface AnswerInvalidatorDeps {
  /**
   * One per database server that answers are read from: an answer invalidated by changes on one server may be read
   * again from another that lags.
   */
  readonly readers: readonly LateEventReader[]
  /** Invalidates answers in memory and Redis. Resolves to whether Redis has confirmed it. */
  readonly invalidate: (tags: readonly string[]) => Promise<boolean>
  readonly invalidateAll: () => Promise<boolean>
  /** Undefined when answers are cached in memory only. */
  readonly redis: RedisConnection | undefined
  /** Called after answers were invalidated. */
  readonly onInvalidated: (tags: Tags) => void
  /** Called after every reading, also a failed one. */
  readonly onRead: () => void
  readonly logger: Logger
}

/**
 * Reads late events every second, or sooner on request, and invalidates the answers that depend on them. Answers of
 * earlier processes, which Redis may still hold, are used only after all changes since those processes stopped have
 * been applied.
 */
export class AnswerInvalidator implements InvalidationState {
  readonly #config: AnswerInvalidatorConfig
  readonly #deps: AnswerInvalidatorDeps
  /** The position after the first reading. A server that could not be read then is read from there. */
  #begin: LatePosition | undefined
  /** Whether the changes from before the start of this process have been applied to Redis. */
  #isCaughtUp: boolean
  /** Invalidated in this process but not confirmed by Redis. */
  #unconfirmed: Tags = []
  #saved: LatePosition | undefined
  #isFailing = false
  #isStopped = false
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isSoon = false

  constructor(config: AnswerInvalidatorConfig, deps: AnswerInvalidatorDeps) {
    this.#config = config
    this.#deps = deps
    this.#isCaughtUp = deps.redis === undefined
  }

  get watermarkMs(): number {
    const mayHoldOldAnswers = !this.#isCaughtUp && this.#deps.redis?.isReady === true
    if (this.#begin === undefined || mayHoldOldAnswers) return Number.NEGATIVE_INFINITY
    return this.storedToMs
  }

  /** The highest watermark of all servers. */
  get storedToMs(): number {
    return Math.max(...this.#deps.readers.map(({ watermarkMs }) => watermarkMs))
  }

  /** Reading one server is enough: all have the same changes. */
  get unseenMs(): number {
    return Math.min(...this.#deps.readers.map(({ unseenMs }) => unseenMs))
  }

  /** Resolves after the first reading, even a failed one. */
  async start(): Promise<void> {
    await this.read()
    this.#scheduleIn(this.#config.everyMs)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Brings the next reading forward, after a message about a change or when Redis is connected again. */
  soon(): void {
    if (this.#isSoon) return
    this.#isSoon = true
    this.#scheduleIn(SOON_MS)
  }

  /** Reads every server; never rejects. Concurrent calls share one reading. */
  read(): Promise<void> {
    this.#running ??= this.#readOnce()
      .then(
        () => this.#note(undefined),
        (error: unknown) => this.#note(error),
      )
      .finally(() => {
        this.#running = undefined
        this.#deps.onRead()
      })
    return this.#running
  }

  /** Waits for a running reading first, which may have started before the change that this one is for. */
  #scheduleIn(delayMs: number): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(async () => {
      this.#isSoon = false
      await this.#running
      await this.read()
      if (!this.#isSoon) this.#scheduleIn(this.#config.everyMs)
    }, delayMs)
  }

  #note(error: unknown): void {
    const { logger } = this.#deps
    const isFailing = error !== undefined
    if (isFailing !== this.#isFailing) {
      if (isFailing) logger.warn('reading late events failed; the next reading catches up', { error })
      else logger.info('reading late events works again')
    }
    this.#isFailing = isFailing
  }

  async #readOnce(): Promise<void> {
    const { readers, redis } = this.#deps
    const begin = this.#begin
    await this.#onEach((reader) => {
      const isNew = reader.cursor === undefined && begin !== undefined
      return isNew ? reader.resume(begin, this.#invalidate) : reader.read(this.#invalidate)
    })
    this.#begin ??= readers.find(({ cursor }) => cursor !== undefined)?.cursor
    if (redis?.isReady !== true) return
    if (!this.#isCaughtUp) await this.#catchUp(redis)
    await this.#sendUnconfirmed()
    await this.#saveCursor(redis)
  }

  /** Reads the servers concurrently. Throws only when all of them fail. */
  async #onEach(work: (reader: LateEventReader) => Promise<unknown>): Promise<void> {
    const outcomes = await Promise.allSettled(this.#deps.readers.map(work))
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    if (failed.length === outcomes.length) throw failed[0]?.reason
  }

  /**
   * Applies to Redis all changes since the position that is saved there, or invalidates everything when that is too old
   * or unknown.
   */
  async #catchUp(redis: RedisConnection): Promise<void> {
    const cursor = await this.#readCursor(redis)
    const isKnown = cursor !== undefined && (this.#begin?.at ?? 0) - cursor.at < LATE_NOTICES_KEPT_MS - DAY_MS
    let isResumed = isKnown
    if (isKnown) {
      await this.#onEach(async (reader) => {
        if (reader.cursor !== undefined && !(await reader.resume(cursor, this.#invalidate))) isResumed = false
      })
    }
    if (!isResumed) await this.#invalidateTags('all')
    this.#isCaughtUp = this.#unconfirmed.length === 0
  }

  readonly #invalidate = async (windows: readonly LateDay[]): Promise<void> => {
    await this.#invalidateTags(windows.length > WINDOWS_MAX ? 'all' : [...new Set(windows.flatMap(tagsOfDay))])
  }

  async #invalidateTags(tags: Tags): Promise<void> {
    if (!(await this.#invalidateCache(tags))) this.#unconfirmed = joinTags(this.#unconfirmed, tags)
    this.#deps.onInvalidated(tags)
  }

  #invalidateCache(tags: Tags): Promise<boolean> {
    return tags === 'all' ? this.#deps.invalidateAll() : this.#deps.invalidate(tags)
  }

  /** The cache repeats invalidations to Redis by itself; this one is to learn that Redis has them. */
  async #sendUnconfirmed(): Promise<void> {
    if (this.#unconfirmed.length > 0 && (await this.#invalidateCache(this.#unconfirmed))) this.#unconfirmed = []
  }

  async #readCursor(redis: RedisConnection): Promise<LatePosition | undefined> {
    const text = await redis.client.get(this.#config.cursorKey)
    try {
      return text === null ? undefined : (JSON.parse(text) as LatePosition)
    } catch {
      return undefined
    }
  }

  /** A process that lags may overwrite a higher position. Then the next start invalidates more than it has to. */
  async #saveCursor(redis: RedisConnection): Promise<void> {
    if (this.#unconfirmed.length > 0) return
    const cursors = this.#deps.readers.flatMap(({ cursor }) => (cursor === undefined ? [] : [cursor]))
    if (cursors.length < this.#deps.readers.length) return
    const least = cursors.reduce((a, b) => (BigInt(b.bound) < BigInt(a.bound) ? b : a))
    if (least.bound === this.#saved?.bound && least.at - this.#saved.at < SAVE_MS) return
    await redis.client.set(this.#config.cursorKey, JSON.stringify(least))
    this.#saved = least
  }
}

function joinTags(held: Tags, more: Tags): Tags {
  if (held === 'all' || more === 'all' || held.length + more.length > 10 * WINDOWS_MAX) return 'all'
  return [...held, ...more]
}
