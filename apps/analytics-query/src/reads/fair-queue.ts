import { coreErrors } from '@millrace/contracts'
import { errors } from '../errors.js'

export interface FairQueueConfig {
  /** Queries of all tenants that run at once. */
  readonly slots: number
  /** Queries of one tenant that run at once. */
  readonly slotsOf: (tenantId: number) => number
  /** Queries of one tenant that may wait. */
  readonly waitingPerTenant: number
  /** Queries of all tenants that may wait. */
  readonly waitingMax: number
}

export interface FairQueueDeps {
  /** Milliseconds since 1970; deadlines are compared with it. */
  readonly now: () => number
  /** Told how long a query waited that now begins, in ms; 0 where a slot was free. */
  readonly onStart?: (waitedMs: number) => void
  /** Told of each query that does not get to run. */
  readonly onDrop?: (reason: DropReason) => void
}

export type DropReason = 'tenant_full' | 'full' | 'cancelled' | 'late'

export interface QueueOptions {
  /** Takes the query out of the queue; has no effect on one that runs. */
  readonly signal?: AbortSignal | undefined
  /** A query that gets its turn at or after it is dropped. */
  readonly deadlineMs?: number | undefined
}

interface Waiter {
  readonly deadlineMs: number
  readonly queuedAtMs: number
  readonly start: () => void
  readonly drop: (error: unknown) => void
}

interface Lane {
  running: number
  /** In the order of their coming. */
  readonly waiters: Set<Waiter>
}

/** What a query takes until the first ones have shown it, in ms. */
const FIRST_GUESS_MS = 100
/** Weight of the latest query in the mean. */
const LATEST_WEIGHT = 0.1
const RETRY_AFTER_SECONDS_MAX = 60

/**
 * Lets so many queries run at once and has the others wait: those of one tenant in the order of their coming, the tenant that runs the fewest
 * first, equals by turns. So a tenant of whom nothing runs waits for no more than those that run and one query of each other such tenant.
 */
export class FairQueue {
  readonly #config: FairQueueConfig
  readonly #deps: FairQueueDeps
  readonly #lanes = new Map<number, Lane>()
  /** Tenants with waiting queries; the first has its turn. */
  readonly #turns = new Set<number>()
  #running = 0
  #waiting = 0
  #meanRunMs = FIRST_GUESS_MS

  constructor(config: FairQueueConfig, deps: FairQueueDeps) {
    this.#config = config
    this.#deps = deps
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting
  }

  /** How many tenants have a query here. */
  get tenants(): number {
    return this.#lanes.size
  }

  /**
   * Runs `fn` when it is the tenant's turn.
   * @throws TOO_MANY_QUERIES or QUERY_QUEUE_FULL at once, DEADLINE_EXCEEDED, or the signal's reason while it waits.
   */
  async run<T>(tenantId: number, fn: () => Promise<T>, options: QueueOptions = {}): Promise<T> {
    options.signal?.throwIfAborted()
    const lane = this.#laneOf(tenantId)
    if (this.#mayRun(tenantId, lane) && lane.waiters.size === 0) this.#begin(lane, 0)
    else await this.#wait(tenantId, lane, options)
    const startedAtMs = this.#deps.now()
    try {
      return await fn()
    } finally {
      this.#meanRunMs += LATEST_WEIGHT * (this.#deps.now() - startedAtMs - this.#meanRunMs)
      lane.running--
      this.#running--
      this.#forget(tenantId, lane)
      this.#startNext()
    }
  }

  #laneOf(tenantId: number): Lane {
    const lane = this.#lanes.get(tenantId) ?? { running: 0, waiters: new Set() }
    this.#lanes.set(tenantId, lane)
    return lane
  }

  #mayRun(tenantId: number, lane: Lane): boolean {
    return this.#running < this.#config.slots && lane.running < this.#config.slotsOf(tenantId)
  }

  #begin(lane: Lane, waitedMs: number): void {
    lane.running++
    this.#running++
    this.#deps.onStart?.(waitedMs)
  }

  #wait(tenantId: number, lane: Lane, { signal, deadlineMs }: QueueOptions): Promise<void> {
    this.#refuseWhenFull(tenantId, lane)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#leave(tenantId, lane, waiter)
        this.#deps.onDrop?.('cancelled')
        reject(signal?.reason)
      }
      const waiter: Waiter = {
        deadlineMs: deadlineMs ?? Number.POSITIVE_INFINITY,
        queuedAtMs: this.#deps.now(),
        start: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        drop: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      lane.waiters.add(waiter)
      this.#waiting++
      this.#turns.add(tenantId)
    })
  }

  #refuseWhenFull(tenantId: number, lane: Lane): void {
    const { slots, slotsOf, waitingPerTenant, waitingMax } = this.#config
    if (lane.waiters.size >= waitingPerTenant) {
      this.#forget(tenantId, lane)
      this.#deps.onDrop?.('tenant_full')
      const lanes = Math.min(slots, slotsOf(tenantId))
      throw errors.TOO_MANY_QUERIES({
        message: `${lane.running} queries of the tenant run and ${lane.waiters.size} wait, which is as many as may`,
        details: { running: lane.running, waiting: lane.waiters.size },
        retryAfterSeconds: this.#secondsFor(lane.waiters.size, lanes),
      })
    }
    if (this.#waiting >= waitingMax) {
      this.#forget(tenantId, lane)
      this.#deps.onDrop?.('full')
      throw errors.QUERY_QUEUE_FULL({
        details: { running: this.#running, waiting: this.#waiting },
        retryAfterSeconds: this.#secondsFor(this.#waiting, slots),
      })
    }
  }

  /** How long so many queries take at the present pace, so many at once. */
  #secondsFor(queries: number, atOnce: number): number {
    const seconds = Math.ceil((queries * this.#meanRunMs) / Math.max(1, atOnce) / 1000)
    return Math.min(RETRY_AFTER_SECONDS_MAX, Math.max(1, seconds))
  }

  #leave(tenantId: number, lane: Lane, waiter: Waiter): void {
    if (!lane.waiters.delete(waiter)) return
    this.#waiting--
    if (lane.waiters.size === 0) this.#turns.delete(tenantId)
    this.#forget(tenantId, lane)
  }

  #forget(tenantId: number, lane: Lane): void {
    if (lane.running === 0 && lane.waiters.size === 0) this.#lanes.delete(tenantId)
  }

  #startNext(): void {
    while (this.#running < this.#config.slots) {
      const next = this.#nextTenant()
      if (next === undefined) return
      this.#startOne(next, this.#laneOf(next))
    }
  }

  /** Whoever runs the fewest; of equals the one whose turn has come. */
  #nextTenant(): number | undefined {
    let next: number | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const tenantId of this.#turns) {
      const lane = this.#laneOf(tenantId)
      if (lane.running >= fewest || !this.#mayRun(tenantId, lane)) continue
      next = tenantId
      fewest = lane.running
    }
    return next
  }

  /** The tenant's first waiter begins, if it did not come too late, and the tenant goes to the end of the line. */
  #startOne(tenantId: number, lane: Lane): void {
    const [waiter] = lane.waiters
    if (waiter === undefined) return
    this.#leave(tenantId, lane, waiter)
    const nowMs = this.#deps.now()
    if (nowMs >= waiter.deadlineMs) {
      this.#deps.onDrop?.('late')
      waiter.drop(coreErrors.DEADLINE_EXCEEDED({ message: 'the deadline passed while the query waited for its turn' }))
      return
    }
    if (this.#turns.delete(tenantId)) this.#turns.add(tenantId)
    this.#lanes.set(tenantId, lane)
    this.#begin(lane, nowMs - waiter.queuedAtMs)
    waiter.start()
  }
}
