import type { Metrics } from '@millrace/telemetry'

/** The metrics of this service besides those of the packages. */
export class ShipperMetrics {
  readonly #lines
  readonly #refused

  constructor(metrics: Metrics) {
    this.#lines = metrics.counter({
      name: 'millrace_log_lines_total',
      help: 'Log lines by source and result: accepted, or rejected one by one inside an accepted request',
      alert: 'the share of rejected lines rises',
      labels: ['source', 'verdict'],
    })
    this.#refused = metrics.counter({
      name: 'millrace_log_refused_requests_total',
      help: 'Requests with log lines that were refused whole, by error code',
      alert: 'a code rises that clients have to act on, such as KEY_INVALID or MALFORMED_BODY',
      labels: ['code'],
    })
  }

  /** Counts the lines of an acknowledged request. Sources are a closed set. */
  noteAccepted(source: string, accepted: number, rejected: number): void {
    if (accepted > 0) this.#lines.with({ source, verdict: 'accepted' }).inc(accepted)
    if (rejected > 0) this.#lines.with({ source, verdict: 'rejected' }).inc(rejected)
  }

  /** Counts a request that was refused whole. Error codes are a closed set. */
  noteRefused(code: string): void {
    this.#refused.with({ code }).inc()
  }
}
