import { encodeFrame, FRAME_TRACES_MAX } from '../frame/frame.js'
import type { AppendedFrame, BatchBuilder, OpenBatch } from './producer-types.js'

/** Where payloads lie until they are in their frame: a buffer each, thrown away at once, has V8 collect garbage more often. Larger ones get their own. */
const scratch = Buffer.allocUnsafeSlow(512 * 1024)

/** A frame with its sequence, on its way to the stream or the spool. */
export interface SealedFrame {
  readonly partition: number
  readonly sequence: number
  readonly records: number
  readonly frame: Buffer
  /** Traceparents of sampled requests in it. */
  readonly traces: readonly string[] | undefined
  /** An append of it came to no answer, or a write: it cannot be taken back. */
  mayBeHeld: boolean
  readonly appended: Promise<AppendedFrame>
  /** Answer the callers; later calls of either have no effect. */
  readonly resolve: (appended: AppendedFrame) => void
  readonly reject: (error: Error) => void
}

class Batch<Builder extends BatchBuilder> implements OpenBatch<Builder> {
  readonly builder: Builder
  readonly openedAtMs: number
  readonly appended: Promise<AppendedFrame>
  resolve!: (appended: AppendedFrame) => void
  reject!: (error: Error) => void
  /** Undefined until there is one. */
  traces: string[] | undefined

  constructor(builder: Builder, openedAtMs: number) {
    this.builder = builder
    this.openedAtMs = openedAtMs
    this.appended = new Promise<AppendedFrame>((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Whoever added to the batch learns of it; a batch that nobody waits for must not end the process.
    this.appended.catch(() => undefined)
  }

  addTrace(traceparent: string): void {
    if (this.traces === undefined) this.traces = [traceparent]
    else if (this.traces.length < FRAME_TRACES_MAX) this.traces.push(traceparent)
  }
}

/**
 * What one partition has open, sealed and in flight. `sealed[0]` is the next to go; it leaves the array when it is safe, or by `withdraw` with all
 * behind it: a sequence that is left out would be a loss to the consumer.
 */
export class Lane<Builder extends BatchBuilder> {
  readonly partition: number
  readonly sealed: SealedFrame[] = []
  /** True while frames of it are on their way to the stream or the disk. */
  isBusy = false
  /**
   * `direct` to the stream; `spooling` while older frames are in the spool or the stream does not answer; `down` is the latter without a spool.
   * In the last two a partition takes records only as far as there is room on the disk.
   */
  mode: 'direct' | 'spooling' | 'down' = 'direct'
  /** Failed sends of `sealed[0]`. */
  failures = 0
  /** When `sealed[0]` was sent for the first time (monotonic ms). */
  firstSentAtMs = 0
  /** Not before this time (monotonic ms) is `sealed[0]` sent again. */
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

  /** Moves the open batch behind the sealed frames; returns the bytes that now wait. */
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
      const facts = { partition: this.partition, sequence, records, frame, traces, mayBeHeld: false }
      this.sealed.push({ ...facts, appended, resolve, reject })
      return frame.length
    } catch (error) {
      reject(error as Error)
      return 0
    }
  }

  /**
   * Takes back, newest first, what certainly reached neither the stream nor the disk, and gives its sequences to later frames; returns the bytes
   * that no longer wait. What stays behind an uncertain frame is sent after it.
   */
  withdraw(): number {
    let bytes = 0
    for (let last = this.sealed.at(-1); last !== undefined && !last.mayBeHeld; last = this.sealed.at(-1)) {
      this.sealed.pop()
      this.#sequence--
      this.#cumulativeRecords -= last.records
      bytes += last.frame.length
    }
    if (this.sealed.length === 0) this.failures = 0
    return bytes
  }
}
