import { computeRetryDelayMs } from '@millrace/resilience'
import { type Spool, spoolErrors } from '@millrace/spool'
import type { FrameToAppend, LingerGrowth } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { AdaptiveLinger } from './adaptive-linger.js'
import type { FrameSender, SendResult } from './frame-sender.js'
import type { MemoryWatch } from './memory-watch.js'
import type { PartitionQueue, SealedFrame } from './partition-queue.js'
import type { StreamProducerMetrics } from './producer-metrics.js'
import type { BatchBuilder } from './producer-types.js'

interface DispatcherConfig {
  readonly lingerMs: number
  readonly lingerGrowth: LingerGrowth
  /** Failed sends of one frame after which its partition goes to the spool. */
  readonly sendAttempts: number
  /** A frame that was first sent this long ago goes to the spool at its next failure, in ms. */
  readonly sendTimeoutMs: number
}

interface DispatcherDeps<Builder extends BatchBuilder> {
  readonly queues: readonly PartitionQueue<Builder>[]
  readonly sender: FrameSender
  readonly memory: MemoryWatch
  readonly spool: Spool<FrameToAppend> | undefined
  /** Called after frames were written to the spool, so that they are drained. */
  readonly onSpooled: () => void
  readonly metrics: StreamProducerMetrics | undefined
}

/** Pause before a frame is sent again that was refused because the stream or the spool was full, in ms. */
const FULL_PAUSE_MS = 1000
const RETRY = { firstDelayMs: 100, delayMsMax: 2000 }

/**
 * One loop for all partitions. A tick seals the open batch of every partition without a frame in flight, sends these frames in one round trip, and
 * writes the frames of spooling partitions with one fsync. A partition has at most one frame in flight, so its frames stay in order, and they grow
 * with the load.
 */
export class Dispatcher<Builder extends BatchBuilder> {
  readonly #config: DispatcherConfig
  readonly #deps: DispatcherDeps<Builder>
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Number.POSITIVE_INFINITY
  #immediate: NodeJS.Immediate | undefined
  #isStreamAbandoned = false
  #isStopped = false
  readonly #linger: AdaptiveLinger
  unacknowledgedBytes = 0
  heldFrames = 0
  spooledFrames = 0

  constructor(config: DispatcherConfig, deps: DispatcherDeps<Builder>) {
    this.#config = config
    this.#deps = deps
    this.#linger = new AdaptiveLinger({ minMs: config.lingerMs, growth: config.lingerGrowth, nowMs: performance.now() })
  }

  /** How long an open batch waits for more records at the present load, in ms. */
  get lingerMs(): number {
    return this.#linger.ms
  }

  /** Ticks after at most `ms`. */
  tickIn(ms: number): void {
    if (this.#isStopped || this.#immediate !== undefined) return
    if (ms <= 0) {
      this.#immediate = setImmediate(() => this.#tick())
      return
    }
    const atMs = performance.now() + ms
    if (atMs >= this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = atMs
    this.#timer = setTimeout(() => this.#tick(), ms)
  }

  seal(queue: PartitionQueue<Builder>): void {
    this.unacknowledgedBytes += queue.seal()
  }

  /** Stops trying the stream: frames that still wait go to the spool at once, or are rejected where there is no spool. */
  abandonStream(): void {
    this.#isStreamAbandoned = true
    for (const queue of this.#deps.queues) {
      queue.retryAtMs = 0
      queue.mode = this.#deps.spool ? 'spooling' : 'down'
    }
    this.tickIn(0)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  countHeld(frameBytes: number, records: number): void {
    this.heldFrames++
    this.#deps.metrics?.appendedFrames.inc()
    this.#deps.metrics?.appendedRecords.inc(records)
    this.#deps.metrics?.appendedBytes.inc(frameBytes)
  }

  #tick(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
    this.#immediate = undefined
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const now = performance.now()
    const toSend: PartitionQueue<Builder>[] = []
    const toSpool: PartitionQueue<Builder>[] = []
    let records = 0
    for (const queue of this.#deps.queues) {
      if (queue.isBusy) continue
      records += queue.open?.builder.records ?? 0
      if (queue.retryAtMs > now) {
        this.tickIn(queue.retryAtMs - now)
        continue
      }
      if (queue.sealed.length === 0 || queue.mode === 'spooling') this.seal(queue)
      if (queue.sealed.length === 0) continue
      if (this.#isStreamAbandoned && queue.mode === 'down')
        this.#rejectCallers(queue, streamErrors.STREAM_UNAVAILABLE({ retryAfterSeconds: 5 }))
      else (queue.mode === 'spooling' ? toSpool : toSend).push(queue)
    }
    this.#linger.observe(records, now)
    if (toSend.length > 0) void this.#send(toSend)
    if (toSpool.length > 0) void this.#spool(toSpool)
  }

  async #send(queues: readonly PartitionQueue<Builder>[]): Promise<void> {
    const now = performance.now()
    for (const queue of queues) {
      queue.isBusy = true
      if (queue.failures === 0) queue.firstSentAtMs = now
    }
    const frames = queues.map((queue) => queue.sealed[0] as SealedFrame)
    const results = await this.#deps.sender.send(frames)
    queues.forEach((queue, index) => {
      queue.isBusy = false
      this.#handleResult(queue, results[index] as SendResult)
      this.#scheduleNext(queue)
    })
  }

  #handleResult(queue: PartitionQueue<Builder>, result: SendResult): void {
    const frame = queue.sealed[0] as SealedFrame
    switch (result.kind) {
      case 'held':
        queue.sealed.shift()
        queue.failures = 0
        if (queue.mode === 'down') queue.mode = 'direct'
        this.unacknowledgedBytes -= frame.frame.length
        this.countHeld(frame.frame.length, frame.records)
        frame.resolve({ partition: queue.partition, sequence: frame.sequence, isSpooled: false })
        return
      case 'full':
        this.#deps.memory.noteRefusal()
        this.#rejectSealed(queue, streamErrors.STREAM_FULL({ cause: result.cause, retryAfterSeconds: 5 }))
        return
      case 'circuit_open':
        this.#divert(queue, result.cause)
        return
      case 'unavailable':
        queue.failures++
        if (result.isAmbiguous) {
          frame.mayBeStored = true
          this.#deps.metrics?.resentFrames.inc()
        }
        queue.retryAtMs = performance.now() + computeRetryDelayMs(queue.failures, RETRY, Math.random)
        if (this.#hasUsedItsTries(queue)) this.#divert(queue, result.cause)
    }
  }

  /** A stream that refuses at once is tried a few times; one that hangs has used up the time with the first try. */
  #hasUsedItsTries({ failures, firstSentAtMs }: PartitionQueue<Builder>): boolean {
    const { sendAttempts, sendTimeoutMs } = this.#config
    return this.#isStreamAbandoned || failures >= sendAttempts || performance.now() - firstSentAtMs >= sendTimeoutMs
  }

  /** The stream does not answer: the partition goes to the spool. Without a spool the callers are rejected and the frames are tried again. */
  #divert(queue: PartitionQueue<Builder>, cause: Error): void {
    if (this.#deps.spool) {
      queue.mode = 'spooling'
      queue.failures = 0
      queue.retryAtMs = 0
      return
    }
    queue.mode = 'down'
    this.#rejectCallers(queue, streamErrors.STREAM_UNAVAILABLE({ cause, retryAfterSeconds: 5 }))
    queue.retryAtMs = Math.max(queue.retryAtMs, performance.now() + RETRY.firstDelayMs)
  }

  async #spool(queues: readonly PartitionQueue<Builder>[]): Promise<void> {
    const spool = this.#deps.spool as Spool<FrameToAppend>
    for (const queue of queues) queue.isBusy = true
    const written = queues.map((queue) => queue.sealed.slice())
    try {
      const hasRoom = spool.hasRoomFor(written.flat())
      // A write that fails may have reached the disk and be found there after a crash.
      if (hasRoom) for (const frame of written.flat()) frame.mayBeStored = true
      await spool.append(written.flat())
      for (const [index, queue] of queues.entries()) this.#handleSpooled(queue, written[index] as SealedFrame[])
      this.#deps.onSpooled()
    } catch (error) {
      for (const queue of queues) {
        queue.isBusy = false
        this.#rejectSealed(queue, toStreamError(error))
        // No older frames of the partition are on the disk, so the stream can be tried again without breaking the order.
        if (spool.recordsOf(queue.partition) === 0 && !this.#isStreamAbandoned) queue.mode = 'direct'
        this.#scheduleNext(queue)
      }
    }
  }

  #handleSpooled(queue: PartitionQueue<Builder>, frames: readonly SealedFrame[]): void {
    queue.isBusy = false
    queue.sealed.splice(0, frames.length)
    for (const { frame, sequence, resolve } of frames) {
      this.unacknowledgedBytes -= frame.length
      this.spooledFrames++
      this.#deps.metrics?.spooledFrames.inc()
      resolve({ partition: queue.partition, sequence, isSpooled: true })
    }
    this.#scheduleNext(queue)
  }

  /** Rejects the callers of all sealed frames and drops the frames, except those that may be stored already: they have to be sent again. */
  #rejectSealed(queue: PartitionQueue<Builder>, error: Error): void {
    this.#rejectCallers(queue, error)
    this.unacknowledgedBytes -= queue.removeUnsent()
    queue.retryAtMs = queue.sealed.length > 0 ? performance.now() + FULL_PAUSE_MS : 0
  }

  /** Rejects the callers of all sealed frames. The frames stay, so that no sequence is left out. */
  #rejectCallers(queue: PartitionQueue<Builder>, error: Error): void {
    for (const { reject } of queue.sealed) reject(error)
  }

  #scheduleNext(queue: PartitionQueue<Builder>): void {
    if (queue.sealed.length > 0) this.tickIn(queue.retryAtMs - performance.now())
    else if (queue.open !== undefined) this.tickIn(queue.open.openedAtMs + this.lingerMs - performance.now())
  }
}

function toStreamError(error: unknown): Error {
  if (!spoolErrors.SPOOL_FULL.matches(error)) return error as Error
  const { message, cause } = error as Error
  return streamErrors.STREAM_SPOOL_FULL({ retryAfterSeconds: 5, ...(cause !== undefined && { message, cause }) })
}
