import type { Metrics } from '@millrace/telemetry'

/** Metrics of answered queries. Rejected and failed calls are counted by the gRPC metrics. */
export class QueryMetrics {
  readonly #duration
  readonly #stale

  constructor(metrics: Metrics) {
    this.#duration = metrics.histogram({
      name: 'millrace_query_duration_seconds',
      help: 'Time to answer queries, by query kind and by source of the answer (memory, redis, rollup, raw, mixed)',
      alert: 'the 95th percentile exceeds its target',
      labels: ['kind', 'source'] as const,
    })
    this.#stale = metrics
      .counter({
        name: 'millrace_query_stale_answers_total',
        help: 'Answers returned with is_stale: the database failed or was overloaded, or late events could not be read',
        alert: 'rises',
      })
      .with({})
  }

  countStale(): void {
    this.#stale.inc()
  }

  observe(kind: string, source: string, seconds: number): void {
    this.#duration.with({ kind, source }).observe(seconds)
  }
}
