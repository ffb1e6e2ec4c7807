import type { CounterChild, Metrics } from '@millrace/telemetry'

/** The metrics that only log-shipper has. The packages that it uses register their own. */
export class ShipperMetrics {
  readonly #lines
  readonly #refused
  readonly #transformed
  readonly #stored: CounterChild
  readonly #chunks: CounterChild

  constructor(metrics: Metrics) {
    this.#lines = metrics.counter({
      name: 'millrace_log_lines_total',
      help: 'Log lines by source and result: accepted, rejected one by one inside an accepted request, or dropped because they came by UDP while the stream took nothing',
      alert: 'the share of rejected lines rises',
      labels: ['source', 'verdict'],
    })
    this.#refused = metrics.counter({
      name: 'millrace_log_refused_requests_total',
      help: 'Requests with log lines that were refused whole, by error code',
      alert: 'a code rises that clients have to act on, such as KEY_INVALID or MALFORMED_BODY',
      labels: ['code'],
    })
    this.#transformed = metrics.counter({
      name: 'millrace_log_transformed_lines_total',
      help: 'Log lines by what the rules of their tenant did with them: changed, dropped, sampled_out, or failed, which keeps a line and says so in its attribute millrace.transform_error',
      alert: 'failed rises: rules do not fit the lines of a tenant',
      labels: ['result'],
    })
    this.#stored = metrics
      .counter({ name: 'millrace_log_stored_lines_total', help: 'Log lines that were written to log_chunks' })
      .with({})
    this.#chunks = metrics
      .counter({ name: 'millrace_log_chunks_total', help: 'Chunks that were written to log_chunks' })
      .with({})
  }

  /** Counts a window that was written. */
  noteWindow(lines: number, chunks: number): void {
    this.#stored.inc(lines)
    this.#chunks.inc(chunks)
  }

  /** Counts the lines of an acknowledged request. Sources are a closed set. */
  noteAccepted(source: string, accepted: number, rejected: number): void {
    if (accepted > 0) this.#lines.with({ source, verdict: 'accepted' }).inc(accepted)
    if (rejected > 0) this.#lines.with({ source, verdict: 'rejected' }).inc(rejected)
  }

  /** Counts the lines of a request by what rules did with them. */
  noteTransformed(counts: Readonly<Record<'changed' | 'failed' | 'dropped' | 'sampled_out', number>>): void {
    for (const [result, lines] of Object.entries(counts)) if (lines > 0) this.#transformed.with({ result }).inc(lines)
  }

  /** Counts lines that were lost because their sender cannot be told to wait. */
  noteDropped(source: string, lines: number): void {
    this.#lines.with({ source, verdict: 'dropped' }).inc(lines)
  }

  /** Counts a request that was refused whole. Error codes are a closed set. */
  noteRefused(code: string): void {
    this.#refused.with({ code }).inc()
  }
}

/** What is known only at a scrape. */
export function readTailAtScrape(metrics: Metrics, tail: { readonly lines: number; readonly bytes: number }): void {
  metrics.gauge(
    { name: 'millrace_log_tail_lines', help: 'Log lines in memory that are not in a chunk yet' },
    (family) => family.with({}).set(tail.lines),
  )
  metrics.gauge(
    { name: 'millrace_log_tail_bytes', help: 'Bytes of the log lines in memory that are not in a chunk yet' },
    (family) => family.with({}).set(tail.bytes),
  )
}
