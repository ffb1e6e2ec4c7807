import type { Metrics } from '@millrace/telemetry'
import type { DropReason, FairQueue } from './fair-queue.js'
import type { ReplicaOutcome } from './replica-gate.js'

/** What the guard lets through, holds back and refuses. */
export class GuardMetrics {
  readonly #metrics: Metrics
  readonly #wait
  readonly #dropped
  readonly #replica
  readonly #refused

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    this.#wait = metrics.histogram({
      name: 'millrace_query_queue_wait_seconds',
      help: 'Time that queries waited for their turn, 0 where a slot was free',
    })
    this.#dropped = metrics.counter({
      name: 'millrace_query_queue_dropped_total',
      help: 'Queries that did not get to run: refused because the queue was full, cancelled or late while they waited',
      labels: ['reason'] as const,
    })
    this.#refused = metrics.counter({
      name: 'millrace_query_refused_total',
      help: 'Queries refused because they would cost more than the tenant may spend',
    })
    this.#replica = metrics.counter({
      name: 'millrace_query_replica_reads_total',
      help: 'Reads that were for the replica, and those that went to the primary because it was too old or unreachable',
      labels: ['outcome'] as const,
    })
  }

  /** Shows how many queries wait and run; once. */
  watchQueue(queue: FairQueue): void {
    this.#metrics.gauge(
      {
        name: 'millrace_query_queue_queries',
        help: 'Queries that wait for their turn or run',
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
