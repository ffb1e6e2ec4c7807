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
  /** Called when a query starts, with the time it waited in ms; 0 when a slot was free. */
  readonly onStart?: (waitedMs: number) => void
  /** Called for each query that is dropped without having run. */
  readonly onDrop?: (reason: DropReason) => void
}

export type DropReason = 'tenant_full' | 'full' | 'cancelled' | 'late'

export interface QueueOptions {
  /** Removes the query from the queue; has no effect once it runs. */
  readonly signal?: AbortSignal | undefined
  /** The query is dropped if it has not started by then, in ms since 1970. */
  readonly deadlineMs?: number | undefined
}

interface Waiter {
  readonly deadlineMs: number
  readonly queuedAtMs: number
  readonly start: () => void
  readonly drop: (error: unknown) => void
}

interface TenantQueue {
  running: number
  /** In order of arrival. */
  readonly waiters: Set<Waiter>
}

/** Assumed duration of a query before any has finished, in ms. */
const FIRST_GUESS_MS = 100
/** Weight of the latest query in the moving average. */
const LATEST_WEIGHT = 0.1
const RETRY_AFTER_SECONDS_MAX = 60

/**
 * Runs a limited number of queries at once and queues the others. The tenant with the fewest running queries is next;
 * tenants with equally many take turns; queries of one tenant run in order of arrival. So a tenant without a running
 * query waits only for running queries and for one query of each other such tenant.
 */
export class FairQueue {
  readonly #config: FairQueueConfig
  readonly #deps: FairQueueDeps
  readonly #queues = new Map<number, TenantQueue>()
  /** Tenants with waiting queries, in the order in which they take turns. */
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

  /** Tenants with a running or waiting query. */
  get tenants(): number {
    return this.#queues.size
  }

  /**
   * Runs `fn` when it is the tenant's turn.
   * @throws TOO_MANY_QUERIES or QUERY_QUEUE_FULL at once; DEADLINE_EXCEEDED or the signal's reason while it waits
   */
  async run<T>(tenantId: number, fn: () => Promise<T>, options: QueueOptions = {}): Promise<T> {
    options.signal?.throwIfAborted()
    const own = this.#queueOf(tenantId)
    if (this.#mayRun(tenantId, own) && own.waiters.size === 0) this.#begin(own, 0)
    else await this.#wait(tenantId, own, options)
    const startedAtMs = this.#deps.now()
    try {
      return await fn()
    } finally {
      this.#meanRunMs += LATEST_WEIGHT * (this.#deps.now() - startedAtMs - this.#meanRunMs)
      own.running--
      this.#running--
      this.#forget(tenantId, own)
      this.#startNext()
    }
  }

  #queueOf(tenantId: number): TenantQueue {
    const own = this.#queues.get(tenantId) ?? { running: 0, waiters: new Set() }
    this.#queues.set(tenantId, own)
    return own
  }

  #mayRun(tenantId: number, own: TenantQueue): boolean {
    return this.#running < this.#config.slots && own.running < this.#config.slotsOf(tenantId)
  }

  #begin(own: TenantQueue, waitedMs: number): void {
    own.running++
    this.#running++
    this.#deps.onStart?.(waitedMs)
  }

  #wait(tenantId: number, own: TenantQueue, { signal, deadlineMs }: QueueOptions): Promise<void> {
    this.#refuseWhenFull(tenantId, own)
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#leave(tenantId, own, waiter)
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
      own.waiters.add(waiter)
      this.#waiting++
      this.#turns.add(tenantId)
    })
  }

  #refuseWhenFull(tenantId: number, own: TenantQueue): void {
    const { slots, slotsOf, waitingPerTenant, waitingMax } = this.#config
    if (own.waiters.size >= waitingPerTenant) {
      this.#forget(tenantId, own)
      this.#deps.onDrop?.('tenant_full')
      const slotsOfTenant = Math.min(slots, slotsOf(tenantId))
      throw errors.TOO_MANY_QUERIES({
        message: `the tenant has ${own.running} queries running and ${own.waiters.size} in the queue, which is the maximum`,
        details: { running: own.running, waiting: own.waiters.size },
        retryAfterSeconds: this.#secondsFor(own.waiters.size, slotsOfTenant),
      })
    }
    if (this.#waiting >= waitingMax) {
      this.#forget(tenantId, own)
      this.#deps.onDrop?.('full')
      throw errors.QUERY_QUEUE_FULL({
        details: { running: this.#running, waiting: this.#waiting },
        retryAfterSeconds: this.#secondsFor(this.#waiting, slots),
      })
    }
  }

  /** Seconds until the queries have run, at the average duration. */
  #secondsFor(queries: number, atOnce: number): number {
    const seconds = Math.ceil((queries * this.#meanRunMs) / Math.max(1, atOnce) / 1000)
    return Math.min(RETRY_AFTER_SECONDS_MAX, Math.max(1, seconds))
  }

  #leave(tenantId: number, own: TenantQueue, waiter: Waiter): void {
    if (!own.waiters.delete(waiter)) return
    this.#waiting--
    if (own.waiters.size === 0) this.#turns.delete(tenantId)
    this.#forget(tenantId, own)
  }

  #forget(tenantId: number, own: TenantQueue): void {
    if (own.running === 0 && own.waiters.size === 0) this.#queues.delete(tenantId)
  }

  #startNext(): void {
    while (this.#running < this.#config.slots) {
      const next = this.#nextTenant()
      if (next === undefined) return
      this.#startOne(next, this.#queueOf(next))
    }
  }

  /** The tenant with the fewest running queries that may start one; among equals the first in order. */
  #nextTenant(): number | undefined {
    let next: number | undefined
    let fewest = Number.POSITIVE_INFINITY
    for (const tenantId of this.#turns) {
      const own = this.#queueOf(tenantId)
      if (own.running >= fewest || !this.#mayRun(tenantId, own)) continue
      next = tenantId
      fewest = own.running
    }
    return next
  }

  /**
   * Starts the tenant's first waiting query, or drops it after its deadline. The tenant moves to the end of the order.
   */
  #startOne(tenantId: number, own: TenantQueue): void {
    const [waiter] = own.waiters
    if (waiter === undefined) return
    this.#leave(tenantId, own, waiter)
    const nowMs = this.#deps.now()
    if (nowMs >= waiter.deadlineMs) {
      this.#deps.onDrop?.('late')
      waiter.drop(coreErrors.DEADLINE_EXCEEDED({ message: 'the deadline passed while the query waited in the queue' }))
      return
    }
    if (this.#turns.delete(tenantId)) this.#turns.add(tenantId)
    this.#queues.set(tenantId, own)
    this.#begin(own, nowMs - waiter.queuedAtMs)
    waiter.start()
  }
}
