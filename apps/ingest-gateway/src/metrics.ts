import type { CounterChild, HttpMetrics, Metrics } from '@millrace/telemetry'
import type { Rejection } from './events/rejections.js'

/** This service's metrics beyond those of the packages. Requests with events are counted among all HTTP requests, by their address. */
export class IngestMetrics {
  readonly #http: HttpMetrics
  readonly #events
  readonly #accepted: CounterChild

  constructor(metrics: Metrics, http: HttpMetrics) {
    this.#http = http
    this.#events = metrics.counter({
      name: 'millrace_ingest_events_total',
      help: 'Events by verdict: accepted, or the code they were rejected with',
      labels: ['verdict'],
    })
    this.#accepted = this.#events.with({ verdict: 'accepted' })
  }

  /** Events of an acknowledged request. */
  judged(accepted: number, rejections: readonly Rejection[]): void {
    this.#accepted.inc(accepted)
    for (const { code } of rejections) this.#events.with({ verdict: code }).inc()
  }

  /** A request was answered `seconds` after its headers had come. */
  answered(route: string, status: number, seconds: number): void {
    this.#http.observe({ method: 'POST', route, status: String(status) }, seconds)
  }
}
