import type { CounterChild, HistogramChild, Metrics } from '@millrace/telemetry'
import type { Rejection } from './events/rejections.js'

/** This service's metrics beyond those of the packages. */
export class IngestMetrics {
  readonly #events
  readonly #requests
  readonly #duration
  readonly #accepted: CounterChild
  readonly #byRoute = new Map<string, { ok: CounterChild; duration: HistogramChild }>()

  constructor(metrics: Metrics) {
    this.#events = metrics.counter({
      name: 'millrace_ingest_events_total',
      help: 'Events by verdict: accepted, or the code they were rejected with',
      labels: ['verdict'],
    })
    this.#requests = metrics.counter({
      name: 'millrace_ingest_requests_total',
      help: 'Requests with events by address and status',
      labels: ['route', 'status'],
    })
    this.#duration = metrics.histogram({
      name: 'millrace_ingest_request_seconds',
      help: 'Time from the headers of a request with events to its acknowledgement by the stream',
      labels: ['route'],
    })
    this.#accepted = this.#events.with({ verdict: 'accepted' })
  }

  accepted(route: string, events: number, seconds: number): void {
    let children = this.#byRoute.get(route)
    if (children === undefined) {
      children = { ok: this.#requests.with({ route, status: '200' }), duration: this.#duration.with({ route }) }
      this.#byRoute.set(route, children)
    }
    children.ok.inc()
    children.duration.observe(seconds)
    this.#accepted.inc(events)
  }

  rejected(rejections: readonly Rejection[]): void {
    for (const { code } of rejections) this.#events.with({ verdict: code }).inc()
  }

  refused(route: string, status: number): void {
    this.#requests.with({ route, status: String(status) }).inc()
  }
}
