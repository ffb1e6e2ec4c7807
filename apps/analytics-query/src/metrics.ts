import type { Metrics } from '@millrace/telemetry'

/** How long answers took, by kind of query and where they came from. Refused and failed calls are counted by the gRPC metrics. */
export class QueryMetrics {
  readonly #duration
  readonly #stale

  constructor(metrics: Metrics) {
    this.#duration = metrics.histogram({
      name: 'millrace_query_duration_seconds',
      help: 'Time of answered queries by kind and source (memory, redis, rollup, raw, mixed)',
      labels: ['kind', 'source'] as const,
    })
    this.#stale = metrics
      .counter({
        name: 'millrace_query_stale_answers_total',
        help: 'Older answers that stood in for ones that could not be had',
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
