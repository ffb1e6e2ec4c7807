import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MillraceError } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'

export interface AnswerWatchConfig {
  /** Name of the dependency, for log lines. */
  readonly name: string
  /** When callers have waited this long and the dependency has answered nothing meanwhile, it is probed, in ms. Default 1,500. */
  readonly silentMs?: number | undefined
  /** Pause between two probes of a dependency that does not answer, in ms. Default 500. */
  readonly pauseMs?: number | undefined
}

export interface AnswerWatchDeps {
  /** Resolves when the dependency answers a new connection, and rejects when it does not in time. It must end by itself. */
  readonly probe: () => Promise<unknown>
  /** The error that callers get while the dependency does not answer. */
  readonly outage: (cause: unknown) => MillraceError
  readonly logger: Logger
  /** Milliseconds of a clock that only goes forward. Default `performance.now`. */
  readonly now?: (() => number) | undefined
}

/** A call that waits for the dependency. */
export interface PendingAnswer {
  /** Called when the dependency is found not to answer: ends the wait with this error. */
  lose(error: MillraceError): void
}

/** A probe that fails while this process could not run for so long says nothing about the dependency. */
const LAG_MS_MAX = 1_000
const LAG_EVERY_MS = 100

/** Measures the longest time in which the event loop did not turn. */
class LagMeter {
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  #lastAt: number
  #maxMs = 0

  constructor(now: () => number) {
    this.#now = now
    this.#lastAt = now()
    this.#timer = setInterval(() => this.#note(), LAG_EVERY_MS).unref()
  }

  maxMs(): number {
    this.#note()
    return this.#maxMs
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #note(): void {
    const now = this.#now()
    this.#maxMs = Math.max(this.#maxMs, now - this.#lastAt - LAG_EVERY_MS)
    this.#lastAt = now
  }
}

/** How long a probe may take, in ms. With the default of `silentMs`, a caller waits at most 4.5 s for a dependency that does not answer. */
export const PROBE_LIMIT_MS = 3_000

/**
 * Notices a dependency that accepts connections but does not answer: a frozen process, a dead host, a network that drops packets. A time limit of calls
 * cannot do that, because a call may take longer than callers should wait for a dead server.
 *
 * While calls wait and none is answered, the watch probes the dependency by a connection of its own. If the probe fails, all waits end, and later ones
 * fail at once until a probe succeeds. A call that only takes long is not affected.
 */
export class AnswerWatch {
  readonly #name: string
  readonly #silentMs: number
  readonly #pauseMs: number
  readonly #deps: AnswerWatchDeps
  readonly #now: () => number
  /** When each wait began, oldest first. */
  readonly #pending = new Map<PendingAnswer, number>()
  #heardAt = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #isProbing = false
  #isClosed = false
  #outage: MillraceError | undefined
  #isRefusing = false

  constructor(config: AnswerWatchConfig, deps: AnswerWatchDeps) {
    this.#name = config.name
    this.#silentMs = config.silentMs ?? 1_500
    this.#pauseMs = config.pauseMs ?? 500
    this.#deps = deps
    this.#now = deps.now ?? (() => performance.now())
  }

  /** The error with which calls fail; undefined while the dependency answers. */
  get outage(): MillraceError | undefined {
    return this.#outage
  }

  /** False while the dependency does not answer or refuses connections. */
  get isUp(): boolean {
    return this.#outage === undefined && !this.#isRefusing
  }

  /** Call it before waiting for the dependency, and `end` afterwards. @throws the error of an outage */
  begin(pending: PendingAnswer): void {
    if (this.#outage !== undefined) throw this.#outage
    this.#pending.set(pending, this.#now())
    if (this.#timer === undefined && !this.#isProbing) this.#checkIn(this.#silentMs)
  }

  /** `isAnswered`: the dependency has answered, also with an error. */
  end(pending: PendingAnswer, isAnswered: boolean): void {
    this.#pending.delete(pending)
    if (!isAnswered) return
    this.#heardAt = this.#now()
    this.#isRefusing = false
  }

  /** The dependency refuses connections. Callers go on trying, because that fails at once. */
  noteRefusal(): void {
    this.#isRefusing = true
  }

  /** Ends every wait, for a shutdown that must not depend on the dependency. */
  loseAll(error: MillraceError): void {
    for (const pending of [...this.#pending.keys()]) pending.lose(error)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #checkIn(ms: number): void {
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#check(), ms).unref()
  }

  async #check(): Promise<void> {
    this.#timer = undefined
    const silentMs = this.#silentForMs()
    if (silentMs === undefined) return
    if (silentMs < this.#silentMs) {
      this.#checkIn(this.#silentMs - silentMs)
      return
    }
    await this.#probe()
    if (this.#outage !== undefined) this.#checkIn(this.#pauseMs)
    else if (this.#pending.size > 0) this.#checkIn(this.#silentMs)
  }

  /** How long calls have waited without any answer; undefined when none waits. */
  #silentForMs(): number | undefined {
    if (this.#outage !== undefined) return Number.POSITIVE_INFINITY
    const [oldest] = this.#pending.values()
    return oldest === undefined ? undefined : this.#now() - Math.max(oldest, this.#heardAt)
  }

  async #probe(): Promise<void> {
    const startedAt = this.#now()
    const lag = new LagMeter(this.#now)
    this.#isProbing = true
    try {
      await this.#deps.probe()
      this.#answered()
    } catch (error) {
      // Answers that have arrived while this process was busy are read now.
      await nextTurn()
      // Another call was answered meanwhile: the dependency works, and only new connections take long.
      const isAnswering = this.#heardAt >= startedAt
      if (!isAnswering && lag.maxMs() < LAG_MS_MAX) this.#silent(error)
    } finally {
      lag.stop()
      this.#isProbing = false
    }
  }

  #answered(): void {
    this.#heardAt = this.#now()
    this.#isRefusing = false
    if (this.#outage === undefined) return
    this.#outage = undefined
    this.#deps.logger.info('a dependency answers again', { dependency: this.#name })
  }

  #silent(error: unknown): void {
    if (this.#outage !== undefined || this.#isClosed) return
    this.#outage = this.#deps.outage(error)
    const fields = { dependency: this.#name, error }
    this.#deps.logger.warn('a dependency does not answer; calls to it fail at once until it does', fields)
    this.loseAll(this.#outage)
  }
}
