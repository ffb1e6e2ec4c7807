import { DAY_MS, LATE_NOTICES_KEPT_MS, type LateDay } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import { tagsOfDay } from './answer-tags.js'
import type { Horizon } from './horizon.js'
import type { Cursor, LateFollower } from './late-follower.js'

/** A backfill that changes more than this at one look drops everything: that is quicker than naming it. */
const WINDOWS_MAX = 5_000
/** Messages that come close to each other cause one look. */
const SOON_MS = 50
/** The place is noted anew after so long although nothing has changed: by its time one can tell how old it is. */
const SAVE_MS = 10_000

type Tags = readonly string[] | 'all'

export interface LateWatchConfig {
  /** Between two looks, in ms. */
  readonly everyMs: number
  /** Redis key of the place up to which Redis has heard of every change, by whichever process. */
  readonly cursorKey: string
}

export interface LateWatchDeps {
  /** Of every server that answers may come from: what is dropped because of one may be read again from another that does not have it yet. */
  readonly followers: readonly LateFollower[]
  /** Drops answers in memory and Redis; resolves to whether Redis has heard of it. */
  readonly drop: (tags: readonly string[]) => Promise<boolean>
  readonly dropAll: () => Promise<boolean>
  /** Where answers are shared, if they are. */
  readonly redis: RedisConnection | undefined
  /** Told what was dropped here, afterwards. */
  readonly onDropped: (tags: Tags) => void
  /** Told of every look, afterwards. */
  readonly onLooked: () => void
  readonly logger: Logger
}

/**
 * Drops the answers that late events have made wrong, every second and whenever it is told to look. Answers of earlier processes, which Redis may
 * still hold, are believed only once everything was dropped that has changed since those processes last looked.
 */
export class LateWatch implements Horizon {
  readonly #config: LateWatchConfig
  readonly #deps: LateWatchDeps
  /** Where the first look found itself: a server that could not be looked at then is followed from there. */
  #begin: Cursor | undefined
  /** Whether what Redis held before this process began was compared. */
  #isCaughtUp: boolean
  /** Dropped in this process, and not known to be in Redis. */
  #held: Tags = []
  #saved: Cursor | undefined
  #isFailing = false
  #isStopped = false
  #running: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isSoon = false

  constructor(config: LateWatchConfig, deps: LateWatchDeps) {
    this.#config = config
    this.#deps = deps
    this.#isCaughtUp = deps.redis === undefined
  }

  get watermarkMs(): number {
    const mayHoldOldAnswers = !this.#isCaughtUp && this.#deps.redis?.isReady === true
    if (this.#begin === undefined || mayHoldOldAnswers) return Number.NEGATIVE_INFINITY
    return this.storedToMs
  }

  /** Up to when everything accepted is stored on some server. */
  get storedToMs(): number {
    return Math.max(...this.#deps.followers.map(({ watermarkMs }) => watermarkMs))
  }

  /** One server that was looked at is enough: the changes of one are those of all. */
  get unseenMs(): number {
    return Math.min(...this.#deps.followers.map(({ unseenMs }) => unseenMs))
  }

  /** Begins; resolves after the first look, whatever came of it. */
  async start(): Promise<void> {
    await this.look()
    this.#lookIn(this.#config.everyMs)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#timer)
    await this.#running
  }

  /** Something has changed, or Redis is there again: the next look is brought forward. */
  soon(): void {
    if (this.#isSoon) return
    this.#isSoon = true
    this.#lookIn(SOON_MS)
  }

  /** Looks at every server; never rejects. Calls at one time share one look. */
  look(): Promise<void> {
    this.#running ??= this.#lookOnce()
      .then(
        () => this.#note(undefined),
        (error: unknown) => this.#note(error),
      )
      .finally(() => {
        this.#running = undefined
        this.#deps.onLooked()
      })
    return this.#running
  }

  /** A look that is under way may have begun too early to see what this one is for. */
  #lookIn(delayMs: number): void {
    if (this.#isStopped) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(async () => {
      this.#isSoon = false
      await this.#running
      await this.look()
      if (!this.#isSoon) this.#lookIn(this.#config.everyMs)
    }, delayMs)
  }

  #note(error: unknown): void {
    const { logger } = this.#deps
    const isFailing = error !== undefined
    if (isFailing !== this.#isFailing) {
      if (isFailing) logger.warn('late events cannot be looked for; the next look makes up for it', { error })
      else logger.info('late events are looked for again')
    }
    this.#isFailing = isFailing
  }

  async #lookOnce(): Promise<void> {
    const { followers, redis } = this.#deps
    const begin = this.#begin
    await this.#onEach((follower) => {
      const isNew = follower.cursor === undefined && begin !== undefined
      return isNew ? follower.resume(begin, this.#drop) : follower.look(this.#drop)
    })
    this.#begin ??= followers.find(({ cursor }) => cursor !== undefined)?.cursor
    if (redis?.isReady !== true) return
    if (!this.#isCaughtUp) await this.#catchUp(redis)
    await this.#sendHeld()
    await this.#saveCursor(redis)
  }

  /** Servers do not wait for each other, and one that can be looked at is enough. */
  async #onEach(work: (follower: LateFollower) => Promise<unknown>): Promise<void> {
    const outcomes = await Promise.allSettled(this.#deps.followers.map(work))
    const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
    if (failed.length === outcomes.length) throw failed[0]?.reason
  }

  /** What Redis holds is as good as the place that was noted with it. */
  async #catchUp(redis: RedisConnection): Promise<void> {
    const cursor = await this.#readCursor(redis)
    const isKnown = cursor !== undefined && (this.#begin?.at ?? 0) - cursor.at < LATE_NOTICES_KEPT_MS - DAY_MS
    let isResumed = isKnown
    if (isKnown) {
      await this.#onEach(async (follower) => {
        if (follower.cursor !== undefined && !(await follower.resume(cursor, this.#drop))) isResumed = false
      })
    }
    if (!isResumed) await this.#dropTags('all')
    this.#isCaughtUp = this.#held.length === 0
  }

  readonly #drop = async (windows: readonly LateDay[]): Promise<void> => {
    await this.#dropTags(windows.length > WINDOWS_MAX ? 'all' : [...new Set(windows.flatMap(tagsOfDay))])
  }

  async #dropTags(tags: Tags): Promise<void> {
    if (!(await this.#tellCache(tags))) this.#held = joinTags(this.#held, tags)
    this.#deps.onDropped(tags)
  }

  #tellCache(tags: Tags): Promise<boolean> {
    return tags === 'all' ? this.#deps.dropAll() : this.#deps.drop(tags)
  }

  /** The cache tells Redis by itself when it can; this is to know that it has. */
  async #sendHeld(): Promise<void> {
    if (this.#held.length > 0 && (await this.#tellCache(this.#held))) this.#held = []
  }

  async #readCursor(redis: RedisConnection): Promise<Cursor | undefined> {
    const text = await redis.client.get(this.#config.cursorKey)
    try {
      return text === null ? undefined : (JSON.parse(text) as Cursor)
    } catch {
      return undefined
    }
  }

  /** A process that is behind may write a lower place than another did: then the next start drops more than it has to. */
  async #saveCursor(redis: RedisConnection): Promise<void> {
    if (this.#held.length > 0) return
    const cursors = this.#deps.followers.flatMap(({ cursor }) => (cursor === undefined ? [] : [cursor]))
    if (cursors.length < this.#deps.followers.length) return
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
