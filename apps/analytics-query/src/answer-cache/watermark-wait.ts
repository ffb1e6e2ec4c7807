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
  /** Most callers of all tenants that wait at once. */
  readonly waitersMax: number
}

export interface WaitOptions {
  readonly tenantId: number
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
 * connection nor a turn of the queue. A tenant holds at most as many places as it leaves free, so it never takes the last one from others.
 */
export class WatermarkWait {
  readonly #config: WatermarkWaitConfig
  readonly #now: () => number
  readonly #source: () => WatermarkSource
  readonly #waiters = new Set<Waiter>()
  /** How many wait of each tenant of whom any does. */
  readonly #ofTenant = new Map<number, number>()

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
   * for and room to wait. One that lies further ahead than the time to wait is not waited for: no watermark is ahead of the clock.
   * @throws the signal's reason
   */
  async reach(watermarkMs: number, { tenantId, waitMs, deadlineMs, signal }: WaitOptions): Promise<boolean> {
    signal.throwIfAborted()
    const { defaultMs, maxMs } = this.#config
    const nowMs = this.#now()
    const leftMs = ((deadlineMs ?? Number.POSITIVE_INFINITY) - nowMs) / 2
    const forMs = Math.min(waitMs ?? defaultMs, maxMs, leftMs)
    const isReached = this.#source().storedToMs >= watermarkMs
    if (isReached || forMs <= 0 || watermarkMs > nowMs + forMs || !this.#hasRoom(tenantId)) return false
    this.#count(tenantId, 1)
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = { watermarkMs, end: () => settle(resolve) }
      const onAbort = (): void => settle(() => reject(signal.reason as Error))
      const settle = (then: () => void): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        if (this.#waiters.delete(waiter)) this.#count(tenantId, -1)
        then()
      }
      const timer = setTimeout(waiter.end, forMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(waiter)
      this.#source().soon()
    })
    return true
  }

  #hasRoom(tenantId: number): boolean {
    return (this.#ofTenant.get(tenantId) ?? 0) < this.#config.waitersMax - this.#waiters.size
  }

  #count(tenantId: number, change: 1 | -1): void {
    const waiting = (this.#ofTenant.get(tenantId) ?? 0) + change
    if (waiting === 0) this.#ofTenant.delete(tenantId)
    else this.#ofTenant.set(tenantId, waiting)
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
