import type { CounterChild, GaugeChild, HistogramChild, Metrics } from '@millrace/telemetry'

type AppendOutcome = 'held' | 'full' | 'unavailable'

/** One a process, shared by its producers; counts are by stream. */
export class ProducerMetrics {
  readonly #appendedFrames
  readonly #appendedRecords
  readonly #appendedBytes
  readonly #appendDuration
  readonly #resentFrames
  readonly #spooledFrames
  readonly #refused
  readonly #spoolBytes
  readonly #spoolFrames
  readonly #unacknowledged

  constructor(metrics: Metrics) {
    const labels = ['stream'] as const
    const counter = (noun: string, help: string) =>
      metrics.counter({ name: `millrace_stream_${noun}_total`, help, labels })
    this.#appendedFrames = counter('appended_frames', 'Frames that the stream holds')
    this.#appendedRecords = counter('appended_records', 'Records that the stream holds')
    this.#appendedBytes = counter('appended_bytes', 'Bytes of frames that the stream holds, as stored')
    this.#resentFrames = counter('resent_frames', 'Frames sent again because nobody knew whether the stream had them')
    this.#spooledFrames = counter('spooled_frames', 'Frames written to the spool because the stream was down')
    this.#refused = metrics.counter({
      name: 'millrace_stream_refusals_total',
      help: 'Batches refused to the caller',
      labels: ['stream', 'reason'],
    })
    this.#appendDuration = metrics.histogram({
      name: 'millrace_stream_append_duration_seconds',
      help: 'Round trips of appends',
      labels: ['stream', 'outcome'],
    })
    this.#spoolBytes = metrics.gauge({
      name: 'millrace_stream_spool_bytes',
      help: 'Bytes of the spool on disk',
      labels,
    })
    this.#spoolFrames = metrics.gauge({
      name: 'millrace_stream_spool_frames',
      help: 'Frames in the spool that the stream does not hold yet',
      labels,
    })
    this.#unacknowledged = metrics.gauge({
      name: 'millrace_stream_unacknowledged_bytes',
      help: 'Sealed bytes that wait for the stream',
      labels,
    })
  }

  of(stream: string): StreamProducerMetrics {
    return {
      appendedFrames: this.#appendedFrames.with({ stream }),
      appendedRecords: this.#appendedRecords.with({ stream }),
      appendedBytes: this.#appendedBytes.with({ stream }),
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

export interface StreamProducerMetrics {
  readonly appendedFrames: CounterChild
  readonly appendedRecords: CounterChild
  readonly appendedBytes: CounterChild
  readonly resentFrames: CounterChild
  readonly spooledFrames: CounterChild
  readonly spoolBytes: GaugeChild
  readonly spoolFrames: GaugeChild
  readonly unacknowledgedBytes: GaugeChild
  refused(reason: 'overloaded' | 'full' | 'spool_full' | 'unavailable' | 'closed'): CounterChild
  appendDuration(outcome: AppendOutcome): HistogramChild
}
