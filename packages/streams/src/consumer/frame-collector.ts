import type { ConsumerContext } from './consumer-context.js'
import type { SqlTransaction } from './database-port.js'
import { FrameIntake } from './frame-intake.js'
import type { PartitionState } from './partition-state.js'
import type { PatientReader } from './patient-reader.js'
import type { NewFrame } from './stream-handler.js'

interface CollectorDeps<Prepared, Tx extends SqlTransaction> {
  readonly reader: PatientReader<Prepared, Tx>
  readonly states: ReadonlyMap<number, PartitionState>
  /** Something else is to be done first. */
  readonly mustReturn: () => boolean
  readonly isCommitting: () => boolean
}

/** Collects the frames of one batch after the other. */
export class FrameCollector<Prepared, Tx extends SqlTransaction> {
  readonly #context: ConsumerContext<Prepared, Tx>
  readonly #deps: CollectorDeps<Prepared, Tx>
  readonly #intake: FrameIntake
  #recordsPerFrame = 1

  constructor(context: ConsumerContext<Prepared, Tx>, deps: CollectorDeps<Prepared, Tx>) {
    this.#context = context
    this.#deps = deps
    const { config, logger, metrics } = context
    this.#intake = new FrameIntake({ driver: config.driver, logger, metrics })
  }

  /**
   * Takes what is there; waits for the first frame, then `batchLingerMs` for company, and while a transaction is under way for as long as that
   * takes: so batches grow with the load. Empty when nothing new came for a while.
   */
  async collect(): Promise<NewFrame[]> {
    const { settings, now } = this.#context
    const frames: NewFrame[] = []
    let records = 0
    let bytes = 0
    let untilMs = now() + Math.min(settings.blockMs, settings.idleCommitMs)
    while (!this.#deps.mustReturn()) {
      const framesLeft = settings.batchFramesMax - frames.length
      const recordsLeft = settings.batchRecordsMax - records
      const bytesMax = settings.batchBytesMax - bytes
      if (framesLeft <= 0 || recordsLeft <= 0 || bytesMax <= 0) break
      const leftMs = frames.length > 0 && this.#deps.isCommitting() ? settings.blockMs : untilMs - now()
      if (leftMs <= 0) break
      const framesMax = Math.min(framesLeft, Math.ceil(recordsLeft / this.#recordsPerFrame))
      const stored = await this.#deps.reader.read({ framesMax, bytesMax, blockMs: Math.min(leftMs, settings.blockMs) })
      const wasEmpty = frames.length === 0
      for (const one of stored) {
        const state = this.#deps.states.get(one.partition)
        const frame = state && this.#intake.take(one, state)
        if (frame === undefined) continue
        frames.push(frame)
        records += frame.header.records
        bytes += one.bytes.length
      }
      if (wasEmpty && frames.length > 0) untilMs = now() + settings.batchLingerMs
    }
    if (frames.length > 0) this.#recordsPerFrame = Math.max(1, records / frames.length)
    return frames
  }
}
