import type { SegmentEntry } from '@millrace/archive'
import type { CounterChild, GaugeChild, Metrics } from '@millrace/telemetry'
import type { ArchiveStatus } from './archive-statements.js'

/** The metrics of the archive of log lines. Only the process that archives at present sets them. */
export class ArchiveMetrics {
  readonly #segments: CounterChild
  readonly #lines: CounterChild
  readonly #bytes: CounterChild
  readonly #pending: GaugeChild
  readonly #oldest: GaugeChild
  readonly #failing: GaugeChild

  constructor(metrics: Metrics) {
    this.#segments = metrics
      .counter({ name: 'millrace_log_archive_segments_total', help: 'Segments of log lines that were archived' })
      .with({})
    this.#lines = metrics
      .counter({ name: 'millrace_log_archive_lines_total', help: 'Log lines that were archived' })
      .with({})
    this.#bytes = metrics
      .counter({
        name: 'millrace_log_archive_bytes_total',
        help: 'Bytes of the segments of log lines that were archived, before encryption',
      })
      .with({})
    this.#pending = metrics
      .gauge({ name: 'millrace_log_archive_pending_lines', help: 'Stored log lines that are not archived yet' })
      .with({})
    this.#oldest = metrics
      .gauge({
        name: 'millrace_log_archive_oldest_seconds',
        help: 'How long the oldest stored log line that is not archived has waited',
        alert:
          'it rises above ARCHIVE_SEAL_SECONDS by an hour: the object store does not take segments, and PostgreSQL grows',
      })
      .with({})
    this.#failing = metrics
      .gauge({
        name: 'millrace_log_archive_failing',
        help: '1 when the last attempt to archive log lines failed, else 0',
      })
      .with({})
  }

  noteSegment({ records, bytes }: SegmentEntry): void {
    this.#segments.inc()
    this.#lines.inc(records)
    this.#bytes.inc(bytes)
  }

  noteStatus({ pendingLines, oldestSeconds, reason }: ArchiveStatus): void {
    this.#pending.set(pendingLines)
    this.#oldest.set(oldestSeconds ?? 0)
    this.#failing.set(reason === undefined ? 0 : 1)
  }
}
