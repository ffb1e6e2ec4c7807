import { computeRetryDelayMs } from '@millrace/resilience'
import { type Spool, spoolErrors } from '@millrace/spool'
import type { FrameToAppend } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { AdaptiveLinger } from './adaptive-linger.js'
import type { AppendGate, GateResult } from './append-gate.js'
import type { Lane, SealedFrame } from './lane.js'
import type { MemoryWatch } from './memory-watch.js'
import type { StreamProducerMetrics } from './producer-metrics.js'
import type { BatchBuilder } from './producer-types.js'

interface DispatcherConfig {
  readonly lingerMs: number
  readonly lingerMsMax: number
  /** Sends of one frame before its partition turns to the spool. */
  readonly sendAttempts: number
  /** And at the first failure after so long, in ms. */
  readonly sendTimeoutMs: number
}

interface DispatcherDeps<Builder extends BatchBuilder> {
  readonly lanes: readonly Lane<Builder>[]
  readonly gate: AppendGate
  readonly memory: MemoryWatch
  readonly spool: Spool<FrameToAppend> | undefined
  /** The spool has got its first frames: somebody has to drain it. */
  readonly onSpooled: () => void
  readonly metrics: StreamProducerMetrics | undefined
}

/** How long a frame that was refused for want of room waits before it is offered again, in ms. */
const FULL_PAUSE_MS = 1000
const RETRY = { firstDelayMs: 100, delayMsMax: 2000 }

/**
 * One loop for all partitions: a tick seals what every idle partition has collected, sends all of it in one round trip, and writes what belongs to
 * spooling partitions with one fsync. A partition has at most one frame in flight, so its frames stay in order and grow with the load.
 */
export class Dispatcher<Builder extends BatchBuilder> {
  readonly #config: DispatcherConfig
  readonly #deps: DispatcherDeps<Builder>
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Number.POSITIVE_INFINITY
  #immediate: NodeJS.Immediate | undefined
  #isGivingUp = false
  #isStopped = false
  readonly #linger: AdaptiveLinger
  unacknowledgedBytes = 0
  heldFrames = 0
  spooledFrames = 0

  constructor(config: DispatcherConfig, deps: DispatcherDeps<Builder>) {
    this.#config = config
    this.#deps = deps
    this.#linger = new AdaptiveLinger({ minMs: config.lingerMs, maxMs: config.lingerMsMax, nowMs: performance.now() })
  }

  /** How long an open batch waits for company now, in ms. */
  get lingerMs(): number {
    return this.#linger.ms
  }

  /** Sends what is open in at most `ms`. */
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

  seal(lane: Lane<Builder>): void {
    this.unacknowledgedBytes += lane.seal()
  }

  /** The stream has had its time: what is left goes to the spool at once, or is refused. */
  giveUp(): void {
    this.#isGivingUp = true
    for (const lane of this.#deps.lanes) {
      lane.retryAtMs = 0
      lane.mode = this.#deps.spool ? 'spooling' : 'down'
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
    const toSend: Lane<Builder>[] = []
    const toSpool: Lane<Builder>[] = []
    let records = 0
    for (const lane of this.#deps.lanes) {
      if (lane.isBusy) continue
      records += lane.open?.builder.records ?? 0
      if (lane.retryAtMs > now) {
        this.tickIn(lane.retryAtMs - now)
        continue
      }
      if (lane.sealed.length === 0 || lane.mode === 'spooling') this.seal(lane)
      if (lane.sealed.length === 0) continue
      if (this.#isGivingUp && lane.mode === 'down')
        this.#refuseAll(lane, streamErrors.STREAM_UNAVAILABLE({ retryAfterSeconds: 5 }))
      else (lane.mode === 'spooling' ? toSpool : toSend).push(lane)
    }
    this.#linger.look(records, now)
    if (toSend.length > 0) void this.#send(toSend)
    if (toSpool.length > 0) void this.#spool(toSpool)
  }

  async #send(lanes: readonly Lane<Builder>[]): Promise<void> {
    const now = performance.now()
    for (const lane of lanes) {
      lane.isBusy = true
      if (lane.failures === 0) lane.firstSentAtMs = now
    }
    const frames = lanes.map((lane) => lane.sealed[0] as SealedFrame)
    const results = await this.#deps.gate.append(frames)
    lanes.forEach((lane, index) => {
      lane.isBusy = false
      this.#sent(lane, results[index] as GateResult)
      this.#continue(lane)
    })
  }

  #sent(lane: Lane<Builder>, result: GateResult): void {
    const frame = lane.sealed[0] as SealedFrame
    switch (result.kind) {
      case 'held':
        lane.sealed.shift()
        lane.failures = 0
        if (lane.mode === 'down') lane.mode = 'direct'
        this.unacknowledgedBytes -= frame.frame.length
        this.countHeld(frame.frame.length, frame.records)
        frame.resolve({ partition: lane.partition, sequence: frame.sequence, isSpooled: false })
        return
      case 'full':
        this.#deps.memory.refused()
        this.#takeBack(lane, streamErrors.STREAM_FULL({ cause: result.cause, retryAfterSeconds: 5 }))
        return
      case 'shut':
        this.#turnAway(lane, result.cause)
        return
      case 'unavailable':
        lane.failures++
        if (result.isAmbiguous) {
          frame.mayBeHeld = true
          this.#deps.metrics?.resentFrames.inc()
        }
        lane.retryAtMs = performance.now() + computeRetryDelayMs(lane.failures, RETRY, Math.random)
        if (this.#isEnough(lane)) this.#turnAway(lane, result.cause)
    }
  }

  /** A stream that refuses at once is asked a few times; one that hangs has had its time after the first. */
  #isEnough({ failures, firstSentAtMs }: Lane<Builder>): boolean {
    const { sendAttempts, sendTimeoutMs } = this.#config
    return this.#isGivingUp || failures >= sendAttempts || performance.now() - firstSentAtMs >= sendTimeoutMs
  }

  /** The stream does not answer: to the spool, or if there is none, the callers are told and the frames tried on. */
  #turnAway(lane: Lane<Builder>, cause: Error): void {
    if (this.#deps.spool) {
      lane.mode = 'spooling'
      lane.failures = 0
      lane.retryAtMs = 0
      return
    }
    lane.mode = 'down'
    this.#refuseAll(lane, streamErrors.STREAM_UNAVAILABLE({ cause, retryAfterSeconds: 5 }))
    lane.retryAtMs = Math.max(lane.retryAtMs, performance.now() + RETRY.firstDelayMs)
  }

  async #spool(lanes: readonly Lane<Builder>[]): Promise<void> {
    const spool = this.#deps.spool as Spool<FrameToAppend>
    for (const lane of lanes) lane.isBusy = true
    const written = lanes.map((lane) => lane.sealed.slice())
    try {
      const isRoom = spool.hasRoomFor(written.flat())
      // A write that fails may have reached the disk, and is found there after a crash.
      if (isRoom) for (const frame of written.flat()) frame.mayBeHeld = true
      await spool.append(written.flat())
      for (const [index, lane] of lanes.entries()) this.#spooled(lane, written[index] as SealedFrame[])
      this.#deps.onSpooled()
    } catch (error) {
      for (const lane of lanes) {
        lane.isBusy = false
        this.#takeBack(lane, toStreamError(error))
        // With nothing on the disk before them, the frames may as well try the stream again.
        if (spool.recordsOf(lane.partition) === 0 && !this.#isGivingUp) lane.mode = 'direct'
        this.#continue(lane)
      }
    }
  }

  #spooled(lane: Lane<Builder>, frames: readonly SealedFrame[]): void {
    lane.isBusy = false
    lane.sealed.splice(0, frames.length)
    for (const { frame, sequence, resolve } of frames) {
      this.unacknowledgedBytes -= frame.length
      this.spooledFrames++
      this.#deps.metrics?.spooledFrames.inc()
      resolve({ partition: lane.partition, sequence, isSpooled: true })
    }
    this.#continue(lane)
  }

  /** Refuses everything sealed and keeps only what may be held already: what was answered with an error is not stored if that can be helped. */
  #takeBack(lane: Lane<Builder>, error: Error): void {
    this.#refuseAll(lane, error)
    this.unacknowledgedBytes -= lane.withdraw()
    lane.retryAtMs = lane.sealed.length > 0 ? performance.now() + FULL_PAUSE_MS : 0
  }

  /** Tells the callers of everything sealed; the frames stay, so that no sequence is left out. */
  #refuseAll(lane: Lane<Builder>, error: Error): void {
    for (const { reject } of lane.sealed) reject(error)
  }

  #continue(lane: Lane<Builder>): void {
    if (lane.sealed.length > 0) this.tickIn(lane.retryAtMs - performance.now())
    else if (lane.open !== undefined) this.tickIn(lane.open.openedAtMs + this.lingerMs - performance.now())
  }
}

function toStreamError(error: unknown): Error {
  if (!spoolErrors.SPOOL_FULL.matches(error)) return error as Error
  const { message, cause } = error as Error
  return streamErrors.STREAM_SPOOL_FULL({ retryAfterSeconds: 5, ...(cause !== undefined && { message, cause }) })
}
