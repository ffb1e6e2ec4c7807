import type { Logger } from '@millrace/logger'
import type { Clock } from './clock.js'
import type { Generations, Names } from './generations.js'
import type { LogPosition, Missed, RemoteTier, WriteClaim } from './remote-tier.js'
import { UnsentInvalidations } from './unsent-invalidations.js'

/** Which namespace is followed, and how old the last comparison may become. */
export interface RemoteSyncOptions {
  readonly namespace: string
  readonly lagMsMax: number
  readonly syncEveryMs: number
}

/** What following the log of invalidations needs. */
export interface RemoteSyncDeps {
  readonly remote: RemoteTier
  readonly generations: Generations
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * Applies the invalidations of other processes to the generations of this process, and decides whether memory and Redis may be used. It reads the log in
 * Redis from the last known position; messages only make that faster. A lost message costs time; a gap in the log costs all values in memory.
 */
export class RemoteSync {
  /** Resolves after the first attempt to read the log, whether it succeeded or not. */
  readonly started: Promise<boolean>
  readonly #options: RemoteSyncOptions
  readonly #deps: RemoteSyncDeps
  readonly #unsent = new UnsentInvalidations()
  /** Numbers above the position that are invalidations of this process. */
  readonly #own = new Set<number>()
  #position: LogPosition | undefined
  #confirmedAtMs = Number.NEGATIVE_INFINITY
  /** Grows whenever Redis becomes untrusted: a reply to a command of an earlier era is not used. */
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

  /** Defined while Redis is trusted: its log was read since the connection came up, and it has every invalidation of this process. */
  get era(): number | undefined {
    return this.#isTrusted ? this.#era : undefined
  }

  get position(): LogPosition | undefined {
    return this.#position
  }

  /** Whether a value that was current at `momentMs` may still be used: all invalidations older than the maximum lag are known here. */
  isConfirmed(momentMs: number, nowMs: number): boolean {
    return nowMs - Math.max(momentMs, this.#confirmedAtMs) <= this.#options.lagMsMax
  }

  /** Redis did not answer or has changed: none of its values is used until its log was read again. */
  distrust(error?: unknown): void {
    this.#era++
    this.#isTrusted = false
    if (this.#isWarned || this.#isClosed) return
    this.#isWarned = true
    this.#deps.logger.warn('the cache continues without redis', { ...this.#fields, error })
  }

  /** Takes the position of a reply. Returns false if it belongs to another epoch. If it is ahead of the known position, the log is read at once. */
  observe({ epoch, sequence }: LogPosition): boolean {
    const isSameEpoch = this.#position?.epoch === epoch
    if (!isSameEpoch) this.distrust()
    if (!isSameEpoch || sequence > (this.#position?.sequence ?? 0) + this.#own.size) void this.catchUp()
    return isSameEpoch
  }

  /** Reads the log, beginning after this call; concurrent calls share one read. Returns false if Redis could not be reached. */
  catchUp(): Promise<boolean> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start()
    this.#next = this.#running.then(() => this.#start())
    return this.#next
  }

  /** Returns whether Redis has the invalidation. Once this resolves, this process no longer returns the old value. */
  async invalidate(names: Names): Promise<boolean> {
    const { generations } = this.#deps
    generations.bump(names)
    const position = await this.send(names)
    // A value that was read from Redis between the first bump and the invalidation there may be the old one.
    generations.bump(names)
    return position !== undefined
  }

  /** Sends an invalidation to Redis and returns its position; undefined if that failed. It is then sent again before Redis is trusted again. */
  async send(names: Names, claim?: WriteClaim): Promise<LogPosition | undefined> {
    try {
      const position = await this.#deps.remote.invalidate(names, claim)
      this.#noteOwn(position)
      return position
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
      this.#apply(await remote.sync(this.#position))
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

  /** Notes an invalidation of this process. The position follows as long as the known numbers have no gap. */
  #noteOwn({ epoch, sequence }: LogPosition): void {
    if (epoch !== this.#position?.epoch || sequence <= this.#position.sequence) return
    this.#own.add(sequence)
    while (this.#own.delete(this.#position.sequence + 1))
      this.#position = { epoch, sequence: this.#position.sequence + 1 }
  }

  #apply(missed: Missed): void {
    const { generations } = this.#deps
    const isSameEpoch = this.#position?.epoch === missed.position.epoch
    // The reply may be older than invalidations that this process has made since it sent the command.
    const known = isSameEpoch ? (this.#position?.sequence ?? 0) : -1
    if (missed.kind === 'gap') generations.bump({ isEverything: true })
    if (missed.kind === 'invalidations') {
      for (const names of missed.names) {
        if (names.sequence > known && !this.#own.has(names.sequence)) generations.bump(names)
      }
    }
    if (missed.position.sequence > known) this.#position = missed.position
    for (const number of this.#own) if (!isSameEpoch || number <= missed.position.sequence) this.#own.delete(number)
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
