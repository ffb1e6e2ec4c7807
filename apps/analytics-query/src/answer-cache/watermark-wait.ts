/** Tells up to which time events are stored. */
export interface WatermarkSource {
  /** The watermark at the last reading, in ms since 1970; -Infinity when it is not known. */
  readonly storedToMs: number
  /** Makes the next reading happen soon. */
  soon(): void
}

export interface WatermarkWaitConfig {
  /** How long a call waits by default, in ms. */
  readonly defaultMs: number
  /** How long a call waits at most, in ms. */
  readonly maxMs: number
  /** Maximum waiting calls of all tenants. */
  readonly waitersMax: number
}

export interface WaitOptions {
  readonly tenantId: number
  /** Undefined: the default. */
  readonly waitMs: number | undefined
  /** The deadline of the call, in ms since 1970. Half of the remaining time is reserved for the query itself. */
  readonly deadlineMs: number | undefined
  readonly signal: AbortSignal
}

interface Waiter {
  readonly watermarkMs: number
  readonly end: () => void
}

/**
 * Lets calls wait until a watermark is reached. They share the readings of one source, so a waiting call holds neither
 * a connection nor a place in the queue. A tenant may not hold more places than are left free, so it can never take the
 * last one.
 */
export class WatermarkWait {
  readonly #config: WatermarkWaitConfig
  readonly #now: () => number
  readonly #source: () => WatermarkSource
  readonly #waiters = new Set<Waiter>()
  /** Waiting calls by tenant. */
  readonly #ofTenant = new Map<number, number>()

  constructor(
    config: WatermarkWaitConfig,
    deps: { readonly source: () => WatermarkSource; readonly now: () => number },
  ) {
    this.#config = config
    this.#now = deps.now
    this.#source = deps.source
  }

  /** Number of waiting calls. */
  get waiting(): number {
    return this.#waiters.size
  }

  /**
   * Resolves when the watermark is reached or the time is over, to whether it has waited at all. It does not wait when
   * the watermark is reached already, when there is no free place, or when the watermark is further in the future than
   * the time to wait: a watermark is never ahead of the clock.
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

  /** To be called after each reading of the source, also a failed one. */
  checkWaiters(): void {
    const { storedToMs } = this.#source()
    for (const waiter of this.#waiters) if (storedToMs >= waiter.watermarkMs) waiter.end()
    if (this.#waiters.size > 0) this.#source().soon()
  }

  /** Ends all waiting, when the service stops. */
  stop(): void {
    for (const waiter of this.#waiters) waiter.end()
  }
}
