import type { CounterChild, Metrics } from '@millrace/telemetry'
import type { Rejection } from './events/rejections.js'

/** The metrics of this service besides those of the packages. http-intake counts requests with events among all HTTP requests. */
export class IngestMetrics {
  readonly #events
  readonly #accepted: CounterChild
  readonly #refused

  constructor(metrics: Metrics) {
    this.#events = metrics.counter({
      name: 'millrace_ingest_events_total',
      help: 'Events by result: accepted, or the code with which an event was rejected',
      alert: 'the share of rejected events rises',
      labels: ['verdict'],
    })
    this.#accepted = this.#events.with({ verdict: 'accepted' })
    this.#refused = metrics.counter({
      name: 'millrace_ingest_refused_requests_total',
      help: 'Requests with events that were refused whole, by error code',
      alert: 'a code rises that clients have to act on, such as KEY_INVALID or MALFORMED_BODY',
      labels: ['code'],
    })
  }

  /** Counts a request that was refused whole. Error codes are a closed set. */
  refused(code: string): void {
    this.#refused.with({ code }).inc()
  }

  /** Counts the events of an acknowledged request. */
  validated(accepted: number, rejections: readonly Rejection[]): void {
    this.#accepted.inc(accepted)
    for (const { code } of rejections) this.#events.with({ verdict: code }).inc()
  }
}
