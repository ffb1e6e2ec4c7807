import type { Logger } from '@millrace/logger'
import type { CircuitBreaker } from '@millrace/resilience'
import type { Spool } from '@millrace/spool'
import type { Tracer } from '@millrace/telemetry'
import type { FrameToAppend, LingerGrowth, StreamDriver } from '../driver/stream-driver.js'
import { streamErrors } from '../errors.js'
import { decodeFrameHeader, parseProducerId } from '../frame/frame.js'
import { Dispatcher } from './dispatcher.js'
import { FrameSender } from './frame-sender.js'
import { MemoryWatch } from './memory-watch.js'
import { PartitionQueue } from './partition-queue.js'
import type { RefusalReason, StreamProducerMetrics } from './producer-metrics.js'
import type { BatchBuilder, OpenBatch, Producer, ProducerCounts, ProducerDisks } from './producer-types.js'
import { SpoolDrain } from './spool-drain.js'

interface BatchingProducerConfig<Builder extends BatchBuilder> {
  readonly stream: string
  readonly partitions: number
  readonly createBuilder: () => Builder
  readonly lingerMs: number
  readonly lingerGrowth: LingerGrowth
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
  readonly disks: ProducerDisks | undefined
  readonly id: string
}

const UPKEEP_MS = 1000

/** The implementation of `Producer`. */
export class BatchingProducer<Builder extends BatchBuilder> implements Producer<Builder> {
  readonly id: string
  readonly partitions: number
  readonly #config: BatchingProducerConfig<Builder>
  readonly #spool: Spool<FrameToAppend> | undefined
  readonly #disks: ProducerDisks | undefined
  readonly #drain: SpoolDrain | undefined
  readonly #memory: MemoryWatch
  readonly #metrics: StreamProducerMetrics | undefined
  readonly #queues: PartitionQueue<Builder>[] = []
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
    this.#disks = deps.disks
    const producer = parseProducerId(deps.id)
    for (let partition = 0; partition < config.partitions; partition++) {
      const queue = new PartitionQueue<Builder>(partition, producer, config.flags)
      if (deps.spool && deps.spool.recordsOf(partition) > 0) queue.mode = 'spooling'
      this.#queues.push(queue)
    }
    const sender = new FrameSender(config.stream, deps)
    this.#dispatcher = new Dispatcher(config, {
      queues: this.#queues,
      sender,
      memory: this.#memory,
      spool: deps.spool,
      onSpooled: () => this.#drain?.start(),
      metrics: deps.metrics,
    })
    if (deps.spool) this.#drain = this.#createDrain(deps.spool, sender, deps.logger)
    this.#upkeep = setInterval(() => this.#keepUp(), UPKEEP_MS)
    this.#upkeep.unref()
    this.#keepUp()
  }

  open(partition: number): OpenBatch<Builder> {
    const queue = this.#queues[partition]
    if (queue === undefined) throw new RangeError(`partition ${partition} of ${this.partitions}`)
    if (this.#closing) throw this.#refusal('closed')
    if (this.#dispatcher.unacknowledgedBytes > this.#config.unacknowledgedBytesMax) throw this.#refusal('overloaded')
    if (this.#disks?.isStreamDiskFull) throw this.#refusal('disk_full')
    if (this.#memory.isFull) throw this.#refusal('full')
    if (queue.mode === 'spooling' && this.#isSpoolFull) throw this.#refusal('spool_full')
    if (queue.mode === 'down') throw this.#refusal('unavailable')
    const batch = queue.open
    if (batch !== undefined && batch.builder.bytes < this.#config.frameBytesMax) {
      // It was still empty at the tick that was meant for it.
      if (batch.builder.isEmpty) this.#dispatcher.tickIn(this.#dispatcher.lingerMs)
      return batch
    }
    if (batch !== undefined) this.#dispatcher.seal(queue)
    if (!queue.isBusy) this.#dispatcher.tickIn(batch === undefined ? this.#dispatcher.lingerMs : 0)
    return queue.begin(this.#config.createBuilder(), performance.now())
  }

  check(): void {
    const reason = this.#whyRefusing()
    if (reason !== undefined) throw refusalOf(reason)
  }

  #whyRefusing(): RefusalReason | undefined {
    if (this.#closing) return 'closed'
    if (this.#dispatcher.unacknowledgedBytes > this.#config.unacknowledgedBytesMax) return 'overloaded'
    if (this.#disks?.isStreamDiskFull) return 'disk_full'
    if (this.#memory.isFull) return 'full'
    if (this.#memory.isReachable && this.#queues.every(({ mode }) => mode === 'direct')) return undefined
    if (this.#spool === undefined) return 'unavailable'
    return this.#isSpoolFull ? 'spool_full' : undefined
  }

  get #isSpoolFull(): boolean {
    return this.#spool?.isFull === true || this.#disks?.isSpoolDiskFull === true
  }

  async flush(): Promise<void> {
    const appended = this.#queues.flatMap((queue) => {
      this.#dispatcher.seal(queue)
      return queue.sealed.map((frame) => frame.appended)
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
    const giveUp = setTimeout(() => this.#dispatcher.abandonStream(), timeoutMs)
    await this.flush()
    clearTimeout(giveUp)
    clearInterval(this.#upkeep)
    this.#dispatcher.stop()
    await this.#drain?.stop()
    await this.#spool?.close()
  }

  #createDrain(spool: Spool<FrameToAppend>, sender: FrameSender, logger: Logger): SpoolDrain {
    return new SpoolDrain(
      { pauseFirstMs: 50, pauseLastMs: 1000 },
      {
        spool,
        sender,
        logger,
        held: ({ frame }) => this.#dispatcher.countHeld(frame.length, decodeFrameHeader(frame).records),
        emptied: (partitions) => {
          for (const partition of partitions) {
            const queue = this.#queues[partition]
            if (queue?.mode === 'spooling') queue.mode = 'direct'
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

  #refusal(reason: RefusalReason) {
    this.#metrics?.refused(reason).inc()
    return refusalOf(reason)
  }
}

function refusalOf(reason: RefusalReason) {
  switch (reason) {
    case 'closed':
      return streamErrors.STREAM_CLOSED({ retryAfterSeconds: 1 })
    case 'overloaded':
      return streamErrors.STREAM_OVERLOADED({ retryAfterSeconds: 1 })
    case 'disk_full':
      return streamErrors.STREAM_DISK_FULL({ retryAfterSeconds: 5 })
    case 'full':
      return streamErrors.STREAM_FULL({ retryAfterSeconds: 5 })
    case 'spool_full':
      return streamErrors.STREAM_SPOOL_FULL({ retryAfterSeconds: 5 })
    case 'unavailable':
      return streamErrors.STREAM_UNAVAILABLE({ retryAfterSeconds: 5 })
  }
}
