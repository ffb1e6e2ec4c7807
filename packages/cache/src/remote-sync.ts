import type { Logger } from '@millrace/logger'
import type { Clock } from './clock.js'
import type { Generations, Names } from './generations.js'
import type { Mark, Missed, RemoteTier, WriteClaim } from './remote-tier.js'
import { Unsent } from './unsent.js'

export interface RemoteSyncOptions {
  readonly namespace: string
  readonly lagMsMax: number
  readonly syncEveryMs: number
}

export interface RemoteSyncDeps {
  readonly remote: RemoteTier
  readonly generations: Generations
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Keeps this process's generations up with those in Redis, and says how far memory and Redis may be believed. Messages only make it faster: the
 * log in Redis is read from the last known mark, so a lost message costs time, and a log with a hole costs what memory held.
 */
export class RemoteSync {
  /** Ends with the first comparison, whether Redis could be asked or not. */
  readonly started: Promise<boolean>
  readonly #options: RemoteSyncOptions
  readonly #deps: RemoteSyncDeps
  readonly #unsent = new Unsent()
  /** Numbers in the log that are this process's own, above the mark. */
  readonly #own = new Set<number>()
  #mark: Mark | undefined
  #confirmedAtMs = Number.NEGATIVE_INFINITY
  /** Moves whenever Redis is distrusted: an answer asked for in an older era proves nothing. */
  #era = 0
  #isTrusted = false
  #isWarned = false
  #isClosed = false
  #running: Promise<boolean> | undefined
  #next: Promise<boolean> | undefined
  #cancelTick: () => void = () => undefined
  readonly #unlisten: () => void

  constructor(options: RemoteSyncOptions, deps: RemoteSyncDeps) {
    this.#options = options
    this.#deps = deps
    this.#unlisten = deps.remote.listen((event) => {
      if (event === 'lost') this.distrust()
      else void this.catchUp()
    })
    this.started = this.catchUp()
    this.#tickLater()
  }

  /** A number while Redis is believed: it has answered since the connection came up, and has every invalidation of this process. */
  get era(): number | undefined {
    return this.#isTrusted ? this.#era : undefined
  }

  get mark(): Mark | undefined {
    return this.#mark
  }

  /** Whether what was current at `momentMs` may still be believed: everything invalidated more than the lag before now is known here. */
  isConfirmed(momentMs: number, nowMs: number): boolean {
    return nowMs - Math.max(momentMs, this.#confirmedAtMs) <= this.#options.lagMsMax
  }

  /** Redis did not answer, or is not the one it was: nothing is taken from it before it was compared with again. */
  distrust(error?: unknown): void {
    this.#era++
    this.#isTrusted = false
    if (this.#isWarned || this.#isClosed) return
    this.#isWarned = true
    this.#deps.logger.warn('the cache goes on without redis', { ...this.#fields, error })
  }

  /** A mark seen in passing. False when it is of another epoch; when it is ahead of what is known here, the log is read at once. */
  observe({ epoch, sequence }: Mark): boolean {
    const isSameEpoch = this.#mark?.epoch === epoch
    if (!isSameEpoch) this.distrust()
    if (!isSameEpoch || sequence > (this.#mark?.sequence ?? 0) + this.#own.size) void this.catchUp()
    return isSameEpoch
  }

  /** Compares with Redis, beginning after this call; calls at one time share one comparison. False: Redis could not be asked. */
  catchUp(): Promise<boolean> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start()
    this.#next = this.#running.then(() => this.#start())
    return this.#next
  }

  /** Returns whether Redis took it. This process gives the old value no more once this has resolved. */
  async invalidate(names: Names): Promise<boolean> {
    const { generations } = this.#deps
    generations.bump(names)
    const mark = await this.send(names)
    // What was read from Redis between the first bump and the step there may be the old value.
    generations.bump(names)
    return mark !== undefined
  }

  /** The part of an invalidation that is Redis': its mark, or undefined when it was not taken; then it is sent again before Redis is believed again. */
  async send(names: Names, claim?: WriteClaim): Promise<Mark | undefined> {
    try {
      const mark = await this.#deps.remote.invalidate(names, claim)
      this.#noteOwn(mark)
      return mark
    } catch (error) {
      this.#unsent.add(names)
      this.distrust(error)
      return undefined
    }
  }

  close(): void {
    this.#isClosed = true
    this.#isTrusted = false
    this.#cancelTick()
    this.#unlisten()
  }

  #tickLater(): void {
    if (this.#isClosed) return
    const tick = () => {
      void this.catchUp()
      this.#tickLater()
    }
    this.#cancelTick = this.#deps.clock.schedule(this.#options.syncEveryMs, tick, 'background')
  }

  #start(): Promise<boolean> {
    this.#next = undefined
    this.#running = this.#compare().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #compare(): Promise<boolean> {
    const { remote, clock } = this.#deps
    if (this.#isClosed || !remote.isReady) return false
    const era = this.#era
    try {
      await this.#sendUnsent()
      const startedAtMs = clock.monotonicMs()
      this.#apply(await remote.sync(this.#mark))
      this.#confirmedAtMs = Math.max(this.#confirmedAtMs, startedAtMs)
    } catch (error) {
      this.distrust(error)
      return false
    }
    if (!this.#isTrusted && era === this.#era && this.#unsent.isEmpty && !this.#isClosed) this.#trust()
    return true
  }

  async #sendUnsent(): Promise<void> {
    const names = this.#unsent.take()
    if (names === undefined) return
    try {
      this.#noteOwn(await this.#deps.remote.invalidate(names))
      this.#deps.generations.bump(names)
    } catch (error) {
      this.#unsent.add(names)
      throw error
    }
  }

  /** What is known here without asking: this process's own invalidations, and the mark follows as far as they leave no hole. */
  #noteOwn({ epoch, sequence }: Mark): void {
    if (epoch !== this.#mark?.epoch || sequence <= this.#mark.sequence) return
    this.#own.add(sequence)
    while (this.#own.delete(this.#mark.sequence + 1)) this.#mark = { epoch, sequence: this.#mark.sequence + 1 }
  }

  #apply(missed: Missed): void {
    const { generations } = this.#deps
    const isSameEpoch = this.#mark?.epoch === missed.mark.epoch
    // An answer may be older than what this process has invalidated since the question.
    const known = isSameEpoch ? (this.#mark?.sequence ?? 0) : -1
    if (missed.kind === 'gap') generations.bump({ isEverything: true })
    if (missed.kind === 'invalidations') {
      for (const names of missed.names) {
        if (names.sequence > known && !this.#own.has(names.sequence)) generations.bump(names)
      }
    }
    if (missed.mark.sequence > known) this.#mark = missed.mark
    for (const number of this.#own) if (!isSameEpoch || number <= missed.mark.sequence) this.#own.delete(number)
  }

  #trust(): void {
    this.#isTrusted = true
    if (this.#isWarned) this.#deps.logger.info('the cache uses redis again', this.#fields)
    this.#isWarned = false
  }

  get #fields() {
    return { namespace: this.#options.namespace }
  }
}
