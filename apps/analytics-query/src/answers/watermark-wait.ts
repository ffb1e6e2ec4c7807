/** What says how far the stored events go. */
export interface WatermarkSource {
  /** As of the last look, in ms since 1970; -Infinity when it is not known. */
  readonly storedToMs: number
  /** Has the next look brought forward. */
  soon(): void
}

export interface WatermarkWaitConfig {
  /** What a caller waits who does not say how long, in ms. */
  readonly defaultMs: number
  /** No caller waits for longer, in ms. */
  readonly maxMs: number
  /** Most callers that wait at once; a further one does not. */
  readonly waitersMax: number
}

export interface WaitOptions {
  /** undefined: the default. */
  readonly waitMs: number | undefined
  /** When the call ends, in ms since 1970; half of what is left is kept for answering. */
  readonly deadlineMs: number | undefined
  readonly signal: AbortSignal
}

interface Waiter {
  readonly watermarkMs: number
  readonly end: () => void
}

/**
 * Has callers wait until everything accepted up to a time is stored. All of them share the looks of one source, so whoever waits holds neither a
 * connection nor a turn of the queue.
 */
export class WatermarkWait {
  readonly #config: WatermarkWaitConfig
  readonly #now: () => number
  readonly #source: () => WatermarkSource
  readonly #waiters = new Set<Waiter>()

  constructor(
    config: WatermarkWaitConfig,
    deps: { readonly source: () => WatermarkSource; readonly now: () => number },
  ) {
    this.#config = config
    this.#now = deps.now
    this.#source = deps.source
  }

  /** How many wait now. */
  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * Resolves when the watermark is there or the time is over; which of both, the answer's own watermark says. True when there was something to wait
   * for. @throws the signal's reason
   */
  async reach(watermarkMs: number, { waitMs, deadlineMs, signal }: WaitOptions): Promise<boolean> {
    signal.throwIfAborted()
    const { defaultMs, maxMs, waitersMax } = this.#config
    const leftMs = ((deadlineMs ?? Number.POSITIVE_INFINITY) - this.#now()) / 2
    const forMs = Math.min(waitMs ?? defaultMs, maxMs, leftMs)
    if (this.#source().storedToMs >= watermarkMs || forMs <= 0 || this.#waiters.size >= waitersMax) return false
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { watermarkMs, end: () => settle(resolve) }
      const onAbort = (): void => settle(() => reject(signal.reason as Error))
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        this.#waiters.delete(waiter)
        then()
      }
      const timer = setTimeout(waiter.end, forMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(waiter)
      this.#source().soon()
    })
    return true
  }

  /** To be called after each look of the source, whatever came of it. */
  looked(): void {
    const { storedToMs } = this.#source()
    for (const waiter of this.#waiters) if (storedToMs >= waiter.watermarkMs) waiter.end()
    if (this.#waiters.size > 0) this.#source().soon()
  }

  /** Lets all go on, when the service stops. */
  stop(): void {
    for (const waiter of this.#waiters) waiter.end()
  }
}
