import type { Metrics } from '@millrace/telemetry'
import type { DropReason, FairQueue } from './fair-queue.js'
import type { ReplicaOutcome } from './replica-gate.js'

/** Metrics of the queue, of admission control and of the choice between replica and primary. */
export class ReadMetrics {
  readonly #metrics: Metrics
  readonly #wait
  readonly #dropped
  readonly #replica
  readonly #refused

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    this.#wait = metrics.histogram({
      name: 'millrace_query_queue_wait_seconds',
      help: 'Time that queries waited in the queue, 0 when a slot was free',
    })
    this.#dropped = metrics.counter({
      name: 'millrace_query_queue_dropped_total',
      help: 'Queries dropped without having run: the queue was full (tenant_full, full), or the call was cancelled or its deadline passed while it waited (cancelled, late)',
      alert: 'rises',
      labels: ['reason'] as const,
    })
    this.#refused = metrics.counter({
      name: 'millrace_query_refused_total',
      help: 'Queries rejected because their estimated cost exceeds the budget of the tenant',
    })
    this.#replica = metrics.counter({
      name: 'millrace_query_replica_reads_total',
      help: 'Reads by where they went: replica, or the primary because the replica lagged (too_old) or failed (unreachable)',
      labels: ['outcome'] as const,
    })
  }

  /** Exports the size of the queue. To be called once. */
  watchQueue(queue: FairQueue): void {
    this.#metrics.gauge(
      {
        name: 'millrace_query_queue_queries',
        help: 'Queries by state: waiting in the queue, or running',
        labels: ['state'] as const,
      },
      (gauge) => {
        gauge.with({ state: 'waiting' }).set(queue.waiting)
        gauge.with({ state: 'running' }).set(queue.running)
      },
    )
  }

  waited(ms: number): void {
    this.#wait.with({}).observe(ms / 1000)
  }

  dropped(reason: DropReason): void {
    this.#dropped.with({ reason }).inc()
  }

  refused(): void {
    this.#refused.with({}).inc()
  }

  replicaRead(outcome: ReplicaOutcome): void {
    this.#replica.with({ outcome }).inc()
  }
}
