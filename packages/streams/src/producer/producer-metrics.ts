import type { CounterChild, GaugeChild, HistogramChild, Metrics } from '@millrace/telemetry'

/** Why a producer takes no records. */
export type RefusalReason = 'closed' | 'overloaded' | 'disk_full' | 'full' | 'spool_full' | 'unavailable'

type AppendOutcome = 'held' | 'full' | 'unavailable'

/**
 * Why the stream has not acknowledged a frame: its server is full, it has not answered and may have stored the frame, it cannot be reached or has refused
 * the frame, or nothing was sent because the circuit breaker is open.
 */
export type AppendFailure = 'full' | 'no_answer' | 'not_stored' | 'circuit_open'

/** Create one a process; its producers share it. All series are labelled with the stream. */
export class ProducerMetrics {
  readonly #appendedFrames
  readonly #appendedRecords
  readonly #appendedBytes
  readonly #appendDuration
  readonly #failedFrames
  readonly #resentFrames
  readonly #spooledFrames
  readonly #refused
  readonly #spoolBytes
  readonly #spoolFrames
  readonly #unacknowledged

  constructor(metrics: Metrics) {
    this.#appendedFrames = metrics.counter({
      name: 'millrace_stream_appended_frames_total',
      help: 'Frames that the stream has taken',
      labels: ['stream'],
    })
    this.#appendedRecords = metrics.counter({
      name: 'millrace_stream_appended_records_total',
      help: 'Records that the stream has taken',
      labels: ['stream'],
    })
    this.#appendedBytes = metrics.counter({
      name: 'millrace_stream_appended_bytes_total',
      help: 'Bytes of frames that the stream has taken, compressed',
      labels: ['stream'],
    })
    this.#failedFrames = metrics.counter({
      name: 'millrace_stream_append_failures_total',
      help: 'Frames that the stream has not acknowledged, by reason: full, no_answer (may be stored), not_stored, circuit_open (not sent)',
      alert: 'rises for minutes',
      labels: ['stream', 'reason'],
    })
    this.#resentFrames = metrics.counter({
      name: 'millrace_stream_resent_frames_total',
      help: 'Frames sent again because an append ended without an answer',
      labels: ['stream'],
    })
    this.#spooledFrames = metrics.counter({
      name: 'millrace_stream_spooled_frames_total',
      help: 'Frames written to the spool because the stream did not take them',
      labels: ['stream'],
    })
    this.#refused = metrics.counter({
      name: 'millrace_stream_refusals_total',
      help: 'Requests of callers to add records that the producer refused, by reason',
      alert: 'rises: clients get 429 or 503',
      labels: ['stream', 'reason'],
    })
    this.#appendDuration = metrics.histogram({
      name: 'millrace_stream_append_duration_seconds',
      help: 'Duration of a round trip that appends frames',
      labels: ['stream', 'outcome'],
    })
    this.#spoolBytes = metrics.gauge({
      name: 'millrace_stream_spool_bytes',
      help: 'Bytes of the spool on disk',
      alert: 'above half of SPOOL_BYTES_MAX',
      labels: ['stream'],
    })
    this.#spoolFrames = metrics.gauge({
      name: 'millrace_stream_spool_frames',
      help: 'Frames in the spool that the stream has not taken yet',
      labels: ['stream'],
    })
    this.#unacknowledged = metrics.gauge({
      name: 'millrace_stream_unacknowledged_bytes',
      help: 'Bytes of sealed frames that are not acknowledged yet',
      labels: ['stream'],
    })
  }

  of(stream: string): StreamProducerMetrics {
    return {
      appendedFrames: this.#appendedFrames.with({ stream }),
      appendedRecords: this.#appendedRecords.with({ stream }),
      appendedBytes: this.#appendedBytes.with({ stream }),
      appendFailure: (reason) => this.#failedFrames.with({ stream, reason }),
      resentFrames: this.#resentFrames.with({ stream }),
      spooledFrames: this.#spooledFrames.with({ stream }),
      refused: (reason) => this.#refused.with({ stream, reason }),
      appendDuration: (outcome) => this.#appendDuration.with({ stream, outcome }),
      spoolBytes: this.#spoolBytes.with({ stream }),
      spoolFrames: this.#spoolFrames.with({ stream }),
      unacknowledgedBytes: this.#unacknowledged.with({ stream }),
    }
  }
}

/** The metrics of one stream. */
export interface StreamProducerMetrics {
  readonly appendedFrames: CounterChild
  readonly appendedRecords: CounterChild
  readonly appendedBytes: CounterChild
  readonly resentFrames: CounterChild
  readonly spooledFrames: CounterChild
  readonly spoolBytes: GaugeChild
  readonly spoolFrames: GaugeChild
  readonly unacknowledgedBytes: GaugeChild
  refused(reason: RefusalReason): CounterChild
  appendDuration(outcome: AppendOutcome): HistogramChild
  appendFailure(reason: AppendFailure): CounterChild
}
