import type { CounterChild, GaugeChild, HistogramChild, Metrics } from '@millrace/telemetry'

/** One a process, shared by its consumers; counts are by stream and group, gauges by partition as well. */
export class ConsumerMetrics {
  readonly #readFrames
  readonly #committedRecords
  readonly #committedFrames
  readonly #repeatedFrames
  readonly #lostRecords
  readonly #corruptFrames
  readonly #regressions
  readonly #retries
  readonly #trimmedFrames
  readonly #batchDuration
  readonly #lagRecords
  readonly #lagFrames
  readonly #held
  readonly #blocked
  readonly #memoryUsed
  readonly #memoryCeiling

  constructor(metrics: Metrics) {
    const labels = ['stream', 'group'] as const
    const byPartition = ['stream', 'group', 'partition'] as const
    const counter = (noun: string, help: string) =>
      metrics.counter({ name: `millrace_stream_${noun}_total`, help, labels })
    this.#readFrames = counter('read_frames', 'Frames read, repeated ones included')
    this.#committedRecords = counter('committed_records', 'Records whose effects are committed')
    this.#committedFrames = counter('committed_frames', 'Frames whose effects are committed')
    this.#repeatedFrames = counter('repeated_frames', 'Frames dropped because their sequence was seen before')
    this.#lostRecords = counter('lost_records', 'Records missing between two sequences of a producer')
    this.#corruptFrames = counter('corrupt_frames', 'Entries of the stream that are not whole frames')
    this.#regressions = counter('regressions', 'Partitions whose stream ended below the committed position')
    this.#retries = counter('retries', 'Batches tried again after a fault')
    this.#trimmedFrames = counter('trimmed_frames', 'Old frames removed from the stream')
    this.#batchDuration = metrics.histogram({
      name: 'millrace_stream_batch_duration_seconds',
      help: 'Time of a transaction, from begin to commit',
      labels: ['stream', 'group', 'outcome'],
    })
    this.#lagRecords = metrics.gauge({
      name: 'millrace_stream_lag_records',
      help: 'Records not yet committed',
      labels: byPartition,
    })
    this.#lagFrames = metrics.gauge({
      name: 'millrace_stream_lag_frames',
      help: 'Frames not yet committed',
      labels: byPartition,
    })
    this.#held = metrics.gauge({
      name: 'millrace_stream_leases_held',
      help: 'Partitions that this member owns',
      labels,
    })
    this.#blocked = metrics.gauge({
      name: 'millrace_stream_blocked_partitions',
      help: 'Partitions whose batches keep failing',
      labels,
    })
    this.#memoryUsed = metrics.gauge({
      name: 'millrace_stream_memory_used_bytes',
      help: 'Memory that the stream server uses',
      labels: ['stream'],
    })
    this.#memoryCeiling = metrics.gauge({
      name: 'millrace_stream_memory_ceiling_bytes',
      help: 'Memory that it may use',
      labels: ['stream'],
    })
  }

  of(stream: string, group: string): GroupMetrics {
    const labels = { stream, group }
    return {
      readFrames: this.#readFrames.with(labels),
      committedRecords: this.#committedRecords.with(labels),
      committedFrames: this.#committedFrames.with(labels),
      repeatedFrames: this.#repeatedFrames.with(labels),
      lostRecords: this.#lostRecords.with(labels),
      corruptFrames: this.#corruptFrames.with(labels),
      regressions: this.#regressions.with(labels),
      retries: this.#retries.with(labels),
      trimmedFrames: this.#trimmedFrames.with(labels),
      batchCommitted: this.#batchDuration.with({ ...labels, outcome: 'committed' }),
      batchFailed: this.#batchDuration.with({ ...labels, outcome: 'failed' }),
      leasesHeld: this.#held.with(labels),
      blockedPartitions: this.#blocked.with(labels),
      memoryUsed: this.#memoryUsed.with({ stream }),
      memoryCeiling: this.#memoryCeiling.with({ stream }),
      lag: (partition, frames, records) => {
        if (frames !== undefined) this.#lagFrames.with({ ...labels, partition: String(partition) }).set(frames)
        this.#lagRecords.with({ ...labels, partition: String(partition) }).set(records)
      },
      forget: (partition) => {
        this.#lagFrames.remove({ ...labels, partition: String(partition) })
        this.#lagRecords.remove({ ...labels, partition: String(partition) })
      },
    }
  }
}

export interface GroupMetrics {
  readonly readFrames: CounterChild
  readonly committedRecords: CounterChild
  readonly committedFrames: CounterChild
  readonly repeatedFrames: CounterChild
  readonly lostRecords: CounterChild
  readonly corruptFrames: CounterChild
  readonly regressions: CounterChild
  readonly retries: CounterChild
  readonly trimmedFrames: CounterChild
  readonly batchCommitted: HistogramChild
  readonly batchFailed: HistogramChild
  readonly leasesHeld: GaugeChild
  readonly blockedPartitions: GaugeChild
  readonly memoryUsed: GaugeChild
  readonly memoryCeiling: GaugeChild
  lag(partition: number, frames: number | undefined, records: number): void
  /** The partition has moved away. */
  forget(partition: number): void
}
