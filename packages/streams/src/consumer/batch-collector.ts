import { setTimeout as sleep } from 'node:timers/promises'
import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { FrameFilter } from './frame-filter.js'
import type { PartitionState } from './partition-state.js'
import type { RetryingReader } from './retrying-reader.js'
import type { NewFrame } from './stream-handler.js'

interface CollectorDeps<Prepared, Tx extends SqlTransaction> {
  readonly reader: RetryingReader<Prepared, Tx>
  readonly states: ReadonlyMap<number, PartitionState>
  /** Whether the session has to do something else first; `collect` then returns at once. */
  readonly mustReturn: () => boolean
  /** The transaction that is being committed, if any; never rejects. */
  readonly committing: () => Promise<void> | undefined
}

class Batch {
  readonly frames: NewFrame[] = []
  records = 0
  bytes = 0

  add(frame: NewFrame, bytes: number): void {
    this.frames.push(frame)
    this.records += frame.header.records
    this.bytes += bytes
  }
}

/** Reads the frames of one batch after another. */
export class BatchCollector<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #deps: CollectorDeps<Prepared, Tx>
  readonly #filter: FrameFilter
  #recordsPerFrame = 1

  constructor(context: ConsumerContext<Prepared, Tx>, deps: CollectorDeps<Prepared, Tx>) {
    this.#context = context
    this.#deps = deps
    const { config, logger, metrics } = context
    this.#filter = new FrameFilter({ driver: config.driver, logger, metrics })
  }

  /**
   * Waits for the first frame and reads the frames that are there. Then it waits until the transaction under way has ended, or else for
   * `batchLingerMs`, and reads the frames that have arrived meanwhile: so batches grow with the load. Empty when no new frame arrived for a while.
   */
  async collect(): Promise<NewFrame[]> {
    const { settings, now } = this.#context
    const { mustReturn, committing } = this.#deps
    const batch = new Batch()
    const untilMs = now() + Math.min(settings.blockMs, settings.idleCommitMs)
    // A read that waits for nothing still asks the server, so it is made only when it is likely to find many frames.
    let isMoreLikely = false
    while (batch.frames.length === 0 && !mustReturn() && now() < untilMs)
      isMoreLikely = await this.#read(batch, untilMs - now())
    if (batch.frames.length > 0 && !mustReturn()) {
      while (isMoreLikely) isMoreLikely = await this.#read(batch, 0)
      await (committing() ?? sleep(settings.batchLingerMs))
      await this.#read(batch, 0)
      this.#recordsPerFrame = Math.max(1, batch.records / batch.frames.length)
    }
    return batch.frames
  }

  /** Reads once. Returns whether another read is likely to give many more frames: this one was about as large as allowed and the batch has room. */
  async #read(batch: Batch, blockMs: number): Promise<boolean> {
    const { settings } = this.#context
    const framesLeft = settings.batchFramesMax - batch.frames.length
    const recordsLeft = settings.batchRecordsMax - batch.records
    const bytesMax = settings.batchBytesMax - batch.bytes
    if (framesLeft <= 0 || recordsLeft <= 0 || bytesMax <= 0) return false
    const framesMax = Math.min(framesLeft, Math.ceil(recordsLeft / this.#recordsPerFrame))
    const stored = await this.#deps.reader.read({ framesMax, bytesMax, blockMs })
    for (const one of stored) {
      const state = this.#deps.states.get(one.partition)
      const frame = state && this.#filter.take(one, state)
      if (frame !== undefined) batch.add(frame, one.bytes.length)
    }
    return stored.length >= framesMax / 2
  }
}
