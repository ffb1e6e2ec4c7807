import type { Logger } from '@millrace/logger'
import type { CircuitBreaker } from '@millrace/resilience'
import type { Spool } from '@millrace/spool'
import type { Tracer } from '@millrace/telemetry'
import type { FrameToAppend, StreamDriver } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { decodeFrameHeader, parseProducerId } from '../frame/frame.js'
import { AppendGate } from './append-gate.js'
import { Dispatcher } from './dispatcher.js'
import { Lane } from './lane.js'
import { MemoryWatch } from './memory-watch.js'
import type { StreamProducerMetrics } from './producer-metrics.js'
import type { BatchBuilder, OpenBatch, Producer, ProducerCounts } from './producer-types.js'
import { SpoolDrain } from './spool-drain.js'

interface BatchingProducerConfig<Builder extends BatchBuilder> {
  readonly stream: string
  readonly partitions: number
  readonly createBuilder: () => Builder
  readonly lingerMs: number
  readonly lingerMsMax: number
  readonly frameBytesMax: number
  readonly unacknowledgedBytesMax: number
  readonly memoryShareMax: number
  readonly sendAttempts: number
  readonly sendTimeoutMs: number
  readonly flags: number
  readonly closeTimeoutMs: number
}

interface BatchingProducerDeps {
  readonly driver: StreamDriver
  readonly spool: Spool<FrameToAppend> | undefined
  readonly breaker: CircuitBreaker
  readonly logger: Logger
  readonly metrics: StreamProducerMetrics | undefined
  readonly tracer: Tracer | undefined
  readonly id: string
}

const UPKEEP_MS = 1000

export class BatchingProducer<Builder extends BatchBuilder> implements Producer<Builder> {
  readonly id: string
  readonly partitions: number
  readonly #config: BatchingProducerConfig<Builder>
  readonly #spool: Spool<FrameToAppend> | undefined
  readonly #drain: SpoolDrain | undefined
  readonly #memory: MemoryWatch
  readonly #metrics: StreamProducerMetrics | undefined
  readonly #lanes: Lane<Builder>[] = []
  readonly #dispatcher: Dispatcher<Builder>
  readonly #upkeep: NodeJS.Timeout
  #closing: Promise<void> | undefined

  constructor(config: BatchingProducerConfig<Builder>, deps: BatchingProducerDeps) {
    this.id = deps.id
    this.partitions = config.partitions
    this.#config = config
    this.#metrics = deps.metrics
    this.#memory = new MemoryWatch(config.memoryShareMax, deps)
    this.#spool = deps.spool
    const producer = parseProducerId(deps.id)
    for (let partition = 0; partition < config.partitions; partition++) {
      const lane = new Lane<Builder>(partition, producer, config.flags)
      if (deps.spool && deps.spool.recordsOf(partition) > 0) lane.mode = 'spooling'
      this.#lanes.push(lane)
    }
    const gate = new AppendGate(config.stream, deps)
    this.#dispatcher = new Dispatcher(config, {
      lanes: this.#lanes,
      gate,
      memory: this.#memory,
      spool: deps.spool,
      onSpooled: () => this.#drain?.start(),
      metrics: deps.metrics,
    })
    if (deps.spool) this.#drain = this.#createDrain(deps.spool, gate, deps.logger)
    this.#upkeep = setInterval(() => this.#keepUp(), UPKEEP_MS)
    this.#upkeep.unref()
    this.#keepUp()
  }

  open(partition: number): OpenBatch<Builder> {
    const lane = this.#lanes[partition]
    if (lane === undefined) throw new RangeError(`partition ${partition} of ${this.partitions}`)
    if (this.#closing) throw this.#refusal('closed')
    if (this.#dispatcher.unacknowledgedBytes > this.#config.unacknowledgedBytesMax) throw this.#refusal('overloaded')
    if (this.#memory.isFull) throw this.#refusal('full')
    if (lane.mode === 'spooling' && this.#spool?.isFull) throw this.#refusal('spool_full')
    if (lane.mode === 'down') throw this.#refusal('unavailable')
    const batch = lane.open
    if (batch !== undefined && batch.builder.bytes < this.#config.frameBytesMax) {
      // Nobody added to it since it was opened, so its tick has passed it by.
      if (batch.builder.isEmpty) this.#dispatcher.tickIn(this.#dispatcher.lingerMs)
      return batch
    }
    if (batch !== undefined) this.#dispatcher.seal(lane)
    if (!lane.isBusy) this.#dispatcher.tickIn(batch === undefined ? this.#dispatcher.lingerMs : 0)
    return lane.begin(this.#config.createBuilder(), performance.now())
  }

  async flush(): Promise<void> {
    const appended = this.#lanes.flatMap((lane) => {
      this.#dispatcher.seal(lane)
      return lane.sealed.map((frame) => frame.appended)
    })
    this.#dispatcher.tickIn(0)
    await Promise.allSettled(appended)
  }

  counts(): ProducerCounts {
    const { heldFrames, spooledFrames, unacknowledgedBytes } = this.#dispatcher
    return {
      heldFrames,
      spooledFrames,
      spoolFrames: this.#spool?.records ?? 0,
      spoolBytes: this.#spool?.bytes ?? 0,
      unacknowledgedBytes,
    }
  }

  close(timeoutMs = this.#config.closeTimeoutMs): Promise<void> {
    this.#closing ??= this.#close(timeoutMs)
    return this.#closing
  }

  async #close(timeoutMs: number): Promise<void> {
    const giveUp = setTimeout(() => this.#dispatcher.giveUp(), timeoutMs)
    await this.flush()
    clearTimeout(giveUp)
    clearInterval(this.#upkeep)
    this.#dispatcher.stop()
    await this.#drain?.stop()
    await this.#spool?.close()
  }

  #createDrain(spool: Spool<FrameToAppend>, gate: AppendGate, logger: Logger): SpoolDrain {
    return new SpoolDrain(
      { pauseFirstMs: 50, pauseLastMs: 1000 },
      {
        spool,
        gate,
        logger,
        held: ({ frame }) => this.#dispatcher.countHeld(frame.length, decodeFrameHeader(frame).records),
        emptied: (partitions) => {
          for (const partition of partitions) {
            const lane = this.#lanes[partition]
            if (lane?.mode === 'spooling') lane.mode = 'direct'
          }
          this.#dispatcher.tickIn(0)
        },
      },
    )
  }

  #keepUp(): void {
    void this.#memory.poll()
    this.#drain?.start()
    this.#metrics?.spoolBytes.set(this.#spool?.bytes ?? 0)
    this.#metrics?.spoolFrames.set(this.#spool?.records ?? 0)
    this.#metrics?.unacknowledgedBytes.set(this.#dispatcher.unacknowledgedBytes)
  }

  #refusal(reason: 'closed' | 'overloaded' | 'full' | 'spool_full' | 'unavailable') {
    this.#metrics?.refused(reason).inc()
    switch (reason) {
      case 'closed':
        return streamErrors.STREAM_CLOSED({ retryAfterSeconds: 1 })
      case 'overloaded':
        return streamErrors.STREAM_OVERLOADED({ retryAfterSeconds: 1 })
      case 'full':
        return streamErrors.STREAM_FULL({ retryAfterSeconds: 5 })
      case 'spool_full':
        return streamErrors.STREAM_SPOOL_FULL({ retryAfterSeconds: 5 })
      case 'unavailable':
        return streamErrors.STREAM_UNAVAILABLE({ retryAfterSeconds: 5 })
    }
  }
}
