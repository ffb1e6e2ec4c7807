import type { CounterChild, GaugeChild, HistogramChild, Metrics } from '@millrace/telemetry'
import type { StallStep } from './stall-detector.js'

/** Create one a process; its consumers share it. All series are labelled with the stream and most with the consumer group. */
export class ConsumerMetrics {
  readonly #readFrames
  readonly #readBytes
  readonly #readDuration
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
  readonly #lagSeconds
  readonly #held
  readonly #blocked
  readonly #stalls
  readonly #stalled
  readonly #expiring
  readonly #memoryUsed
  readonly #memoryCeiling

  constructor(metrics: Metrics) {
    this.#readFrames = metrics.counter({
      name: 'millrace_stream_read_frames_total',
      help: 'Frames read from the stream, including repeated ones',
      labels: ['stream', 'group'],
    })
    this.#readBytes = metrics.counter({
      name: 'millrace_stream_read_bytes_total',
      help: 'Bytes of frames read from the stream, compressed, including repeated ones',
      labels: ['stream', 'group'],
    })
    this.#readDuration = metrics.histogram({
      name: 'millrace_stream_read_duration_seconds',
      help: 'Duration of a read that returned frames or failed, including the time it waited for them',
      labels: ['stream', 'group', 'outcome'],
    })
    this.#committedRecords = metrics.counter({
      name: 'millrace_stream_committed_records_total',
      help: 'Records whose effects are committed',
      labels: ['stream', 'group'],
    })
    this.#committedFrames = metrics.counter({
      name: 'millrace_stream_committed_frames_total',
      help: 'Frames whose effects are committed',
      labels: ['stream', 'group'],
    })
    this.#repeatedFrames = metrics.counter({
      name: 'millrace_stream_repeated_frames_total',
      help: 'Frames dropped because their sequence was seen before',
      labels: ['stream', 'group'],
    })
    this.#lostRecords = metrics.counter({
      name: 'millrace_stream_lost_records_total',
      help: 'Records missing between two sequences of a producer',
      alert: 'rises: acknowledged records are gone',
      labels: ['stream', 'group'],
    })
    this.#corruptFrames = metrics.counter({
      name: 'millrace_stream_corrupt_frames_total',
      help: 'Entries of the stream that are not valid frames and were skipped',
      alert: 'rises',
      labels: ['stream', 'group'],
    })
    this.#regressions = metrics.counter({
      name: 'millrace_stream_regressions_total',
      help: 'Partitions whose stream ended before the committed position, so that it was read again from its start',
      alert: 'rises',
      labels: ['stream', 'group'],
    })
    this.#retries = metrics.counter({
      name: 'millrace_stream_retries_total',
      help: 'Failed batches that were tried again',
      labels: ['stream', 'group'],
    })
    this.#trimmedFrames = metrics.counter({
      name: 'millrace_stream_trimmed_frames_total',
      help: 'Old frames removed from the stream',
      labels: ['stream', 'group'],
    })
    this.#batchDuration = metrics.histogram({
      name: 'millrace_stream_batch_duration_seconds',
      help: 'Duration of the transaction of a batch, from BEGIN to COMMIT',
      labels: ['stream', 'group', 'outcome'],
    })
    this.#lagRecords = metrics.gauge({
      name: 'millrace_stream_lag_records',
      help: 'Records in the stream that are not committed yet',
      alert: 'above 1,000 for minutes, or rising',
      labels: ['stream', 'group', 'partition'],
    })
    this.#lagFrames = metrics.gauge({
      name: 'millrace_stream_lag_frames',
      help: 'Frames in the stream that are not committed yet',
      labels: ['stream', 'group', 'partition'],
    })
    this.#lagSeconds = metrics.gauge({
      name: 'millrace_stream_lag_seconds',
      help: 'Time since the append of the newest frame that was read; 0 when everything in the stream is committed',
      alert: 'above 60 for minutes, or rising',
      labels: ['stream', 'group', 'partition'],
    })
    this.#held = metrics.gauge({
      name: 'millrace_stream_leases_held',
      help: 'Partitions whose lease this member holds',
      alert: 'the sum over all members is below the number of partitions for more than a minute',
      labels: ['stream', 'group'],
    })
    this.#blocked = metrics.gauge({
      name: 'millrace_stream_blocked_partitions',
      help: 'Partitions of this member whose batches keep failing, so that nothing is committed',
      alert: 'above 0 for more than a minute',
      labels: ['stream', 'group'],
    })
    this.#stalls = metrics.counter({
      name: 'millrace_stream_stalls_total',
      help: 'Steps of the watchdog (a new reader, leaving the group, the alarm) because reads did not return frames that the stream has',
      labels: ['stream', 'group', 'step'],
    })
    this.#stalled = metrics.gauge({
      name: 'millrace_stream_stalled_partitions',
      help: 'Partitions with unread frames that this member cannot read, although it has opened a new reader and joined the group again',
      alert: 'above 0',
      labels: ['stream', 'group'],
    })
    this.#expiring = metrics.gauge({
      name: 'millrace_stream_expiring_partitions',
      help: 'Partitions with frames that a consumer group has not stored and that the server of the stream will soon remove by their age',
      alert: 'above 0: these frames will be lost',
      labels: ['stream', 'group'],
    })
    this.#memoryUsed = metrics.gauge({
      name: 'millrace_stream_memory_used_bytes',
      help: 'Memory that the server of the stream uses',
      alert: 'above 80 % of millrace_stream_memory_ceiling_bytes',
      labels: ['stream'],
    })
    this.#memoryCeiling = metrics.gauge({
      name: 'millrace_stream_memory_ceiling_bytes',
      help: 'Memory that the server of the stream may use; 0 when it has no limit',
      labels: ['stream'],
    })
  }

  of(stream: string, group: string): GroupMetrics {
    const labels = { stream, group }
    return {
      readFrames: this.#readFrames.with(labels),
      readBytes: this.#readBytes.with(labels),
      readReturned: this.#readDuration.with({ ...labels, outcome: 'frames' }),
      readFailed: this.#readDuration.with({ ...labels, outcome: 'failed' }),
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
      stalls: (step) => this.#stalls.with({ ...labels, step }),
      stalledPartitions: this.#stalled.with(labels),
      expiringPartitions: this.#expiring.with(labels),
      memoryUsed: this.#memoryUsed.with({ stream }),
      memoryCeiling: this.#memoryCeiling.with({ stream }),
      lag: (partition, { frames, records, seconds }) => {
        const series = { ...labels, partition: String(partition) }
        if (frames !== undefined) this.#lagFrames.with(series).set(frames)
        if (seconds !== undefined) this.#lagSeconds.with(series).set(seconds)
        this.#lagRecords.with(series).set(records)
      },
      forget: (partition) => {
        const series = { ...labels, partition: String(partition) }
        for (const gauge of [this.#lagFrames, this.#lagRecords, this.#lagSeconds]) gauge.remove(series)
      },
    }
  }
}

/** How far a group is behind the end of a partition; what is not known is undefined. */
interface PartitionLag {
  readonly frames: number | undefined
  readonly records: number
  readonly seconds: number | undefined
}

/** The metrics of one stream and consumer group. */
export interface GroupMetrics {
  readonly readFrames: CounterChild
  readonly readBytes: CounterChild
  readonly readReturned: HistogramChild
  readonly readFailed: HistogramChild
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
  stalls(step: StallStep): CounterChild
  readonly stalledPartitions: GaugeChild
  readonly expiringPartitions: GaugeChild
  readonly memoryUsed: GaugeChild
  readonly memoryCeiling: GaugeChild
  lag(partition: number, lag: PartitionLag): void
  /** Removes the series of a partition that this member has given up. */
  forget(partition: number): void
}
