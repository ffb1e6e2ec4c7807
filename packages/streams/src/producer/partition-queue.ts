import { encodeFrame, FRAME_TRACES_MAX } from '../frame/frame.js'
import type { AppendedFrame, BatchBuilder, OpenBatch } from './producer-types.js'

/** Payloads are built here before they are copied into their frame: a short-lived buffer each would trigger garbage collections. Larger payloads get their own buffer. */
const scratch = Buffer.allocUnsafeSlow(512 * 1024)

/** A frame that has its sequence and waits for the stream or the spool. */
export interface SealedFrame {
  readonly partition: number
  readonly sequence: number
  readonly records: number
  readonly frame: Buffer
  /** Traceparents of sampled requests in the frame. */
  readonly traces: readonly string[] | undefined
  /** An append or a write of it ended without an answer, so its sequence cannot be given to another frame. */
  mayBeStored: boolean
  readonly appended: Promise<AppendedFrame>
  /** Settle the promise of the callers; only the first call has an effect. */
  readonly resolve: (appended: AppendedFrame) => void
  readonly reject: (error: Error) => void
}

class Batch<Builder extends BatchBuilder> implements OpenBatch<Builder> {
  readonly builder: Builder
  readonly openedAtMs: number
  readonly appended: Promise<AppendedFrame>
  resolve!: (appended: AppendedFrame) => void
  reject!: (error: Error) => void
  traces: string[] | undefined

  constructor(builder: Builder, openedAtMs: number) {
    this.builder = builder
    this.openedAtMs = openedAtMs
    this.appended = new Promise<AppendedFrame>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // A rejection that no caller awaits must not end the process.
    this.appended.catch(() => undefined)
  }

  addTrace(traceparent: string): void {
    if (this.traces === undefined) this.traces = [traceparent]
    else if (this.traces.length < FRAME_TRACES_MAX) this.traces.push(traceparent)
  }
}

/**
 * The open batch and the sealed frames of one partition. `sealed[0]` is sent next and leaves the queue when it is safe. Otherwise frames leave only
 * from the end, by `removeUnsent`: consumers would count a sequence that was left out as a loss.
 */
export class PartitionQueue<Builder extends BatchBuilder> {
  readonly partition: number
  readonly sealed: SealedFrame[] = []
  /** Whether frames of this partition are on their way to the stream or the disk. */
  isBusy = false
  /**
   * Where frames go. `direct`: to the stream. `spooling`: to the spool, because older frames are there or the stream does not answer. `down`: the
   * stream does not answer and there is no spool; no records are accepted.
   */
  mode: 'direct' | 'spooling' | 'down' = 'direct'
  /** Failed sends of `sealed[0]`. */
  failures = 0
  /** When `sealed[0]` was sent for the first time (monotonic ms). */
  firstSentAtMs = 0
  /** `sealed[0]` is not sent again before this time (monotonic ms). */
  retryAtMs = 0
  open: Batch<Builder> | undefined
  readonly #producer: Buffer
  readonly #flags: number
  #sequence = 0
  #cumulativeRecords = 0

  constructor(partition: number, producer: Buffer, flags: number) {
    this.partition = partition
    this.#producer = producer
    this.#flags = flags
  }

  begin(builder: Builder, openedAtMs: number): Batch<Builder> {
    const batch = new Batch(builder, openedAtMs)
    this.open = batch
    return batch
  }

  /** Seals the open batch behind the sealed frames and returns the size of its frame; 0 when the batch is empty. */
  seal(): number {
    const batch = this.open
    if (batch === undefined || batch.builder.isEmpty) return 0
    this.open = undefined
    const { builder, appended, resolve, reject, traces } = batch
    const { records, firstTimeMs, lastTimeMs } = builder
    try {
      const payload = builder.seal(scratch)
      const cumulativeRecords = this.#cumulativeRecords + records
      const sequence = this.#sequence + 1
      const frame = encodeFrame({
        producer: this.#producer,
        sequence,
        flags: this.#flags,
        records,
        cumulativeRecords,
        firstTimeMs,
        lastTimeMs,
        payload,
        traces,
      })
      this.#sequence = sequence
      this.#cumulativeRecords = cumulativeRecords
      const facts = { partition: this.partition, sequence, records, frame, traces, mayBeStored: false }
      this.sealed.push({ ...facts, appended, resolve, reject })
      return frame.length
    } catch (error) {
      reject(error as Error)
      return 0
    }
  }

  /**
   * Removes the newest frames that certainly reached neither the stream nor the disk, so that later frames use their sequences; returns their bytes.
   * A frame before one that may be stored stays and is sent first.
   */
  removeUnsent(): number {
    let bytes = 0
    for (let last = this.sealed.at(-1); last !== undefined && !last.mayBeStored; last = this.sealed.at(-1)) {
      this.sealed.pop()
      this.#sequence--
      this.#cumulativeRecords -= last.records
      bytes += last.frame.length
    }
    if (this.sealed.length === 0) this.failures = 0
    return bytes
  }
}
