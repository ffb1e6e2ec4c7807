import { RecordBatchReader } from '@millrace/contracts'
import type { BatchBuilder } from '@millrace/streams'

/** A batch that consists of one dead letter, byte for byte; a producer seals it as a frame of its own. */
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

  /** Puts the dead letter in. Once, so the next one has to wait until this batch is sealed. */
  set(payload: Buffer): void {
    if (this.#payload !== null) throw new Error('a replay holds one record')
    const reader = new RecordBatchReader(payload)
    this.#payload = payload
    this.records = reader.records
  }

  seal(): Buffer {
    return this.#payload ?? Buffer.alloc(0)
  }
}
