import { DAY_MS, RecordBatchReader, SIDE, SIDE_BYTES } from '@millrace/contracts'
import type { BatchBuilder } from '@millrace/streams'
import { isStorableDay } from '../store/store-rows.js'

/** A batch of exactly one dead letter, byte for byte; the producer seals it as a frame of its own. */
export class ReplayBatch implements BatchBuilder {
  records = 0
  firstTimeMs = Number.POSITIVE_INFINITY
  lastTimeMs = Number.NEGATIVE_INFINITY
  #payload: Buffer | null = null

  get bytes(): number {
    return this.#payload?.length ?? 0
  }

  get isEmpty(): boolean {
    return this.#payload === null
  }

  /** Sets the dead letter, once: the next one must wait until this batch is sealed. */
  set(payload: Buffer): void {
    if (this.#payload !== null) throw new Error('a replay holds one record')
    const reader = new RecordBatchReader(payload)
    this.#payload = payload
    this.records = reader.records
    for (let at = reader.sideOffset; at < reader.sideOffset + reader.records * SIDE_BYTES; at += SIDE_BYTES) {
      const timeMs = payload.readDoubleLE(at + SIDE.timestampMs)
      if (!isStorableDay({ dayMs: Math.floor(timeMs / DAY_MS) * DAY_MS })) continue
      this.firstTimeMs = Math.min(this.firstTimeMs, timeMs)
      this.lastTimeMs = Math.max(this.lastTimeMs, timeMs)
    }
  }

  seal(): Buffer {
    return this.#payload ?? Buffer.alloc(0)
  }
}
