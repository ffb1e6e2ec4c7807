import type { CounterChild, Metrics } from '@millrace/telemetry'
import type { Rejection } from './events/rejections.js'

/** The metrics of this service besides those of the packages. http-intake counts requests with events among all HTTP requests. */
export class IngestMetrics {
  readonly #events
  readonly #accepted: CounterChild

  constructor(metrics: Metrics) {
    this.#events = metrics.counter({
      name: 'millrace_ingest_events_total',
      help: 'Events by result: accepted, or the code with which an event was rejected',
      alert: 'the share of rejected events rises',
      labels: ['verdict'],
    })
    this.#accepted = this.#events.with({ verdict: 'accepted' })
  }

  /** Counts the events of an acknowledged request. */
  validated(accepted: number, rejections: readonly Rejection[]): void {
    this.#accepted.inc(accepted)
    for (const { code } of rejections) this.#events.with({ verdict: code }).inc()
  }
}
