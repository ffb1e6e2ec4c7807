import { createBatchWriter } from '@millrace/column-store'
import type { StoredRecord } from '../records/record-limits.js'
import { appendLine, type LineAppenders } from './log-batch.js'
import { batchSchema } from './log-schema.js'

/** Lines of one service as a batch, with the earliest and the latest of their times, ms since 1970. */
export interface EncodedBatch {
  readonly lines: number
  /** See log-batch.ts. */
  readonly bytes: Buffer
  readonly firstTimeMs: number
  readonly lastTimeMs: number
}

/** A batch ends after the line with which it reaches this size, so that a frame stays below the limits of Redis and Kafka whatever a request holds. */
const BATCH_BYTES_MAX = 512 * 1024
const BATCH_LINES_MAX = 8192
/** Writers that are kept: a request with more services makes further ones. */
const FREE_MAX = 64

type Writer = ReturnType<typeof createBatchWriter<typeof batchSchema.definitions>>

/** A new writer allocates a few buffers for each column, which costs as much as several lines. */
const freeWriters: Writer[] = []

/** Puts the lines of one request and service into batches, in their order. */
export class LineBatches {
  readonly #writer: Writer
  readonly #finished: EncodedBatch[] = []
  #bytes = 0
  #firstTimeMs = Number.POSITIVE_INFINITY
  #lastTimeMs = Number.NEGATIVE_INFINITY

  constructor() {
    this.#writer = freeWriters.pop() ?? createBatchWriter(batchSchema)
  }

  /** Where the values of the next line are appended, before `endLine`. */
  get columns(): LineAppenders {
    return this.#writer.columns
  }

  add(line: StoredRecord): void {
    const { columns } = this
    const before = columns.message.bytes + columns.attributes.bytes
    appendLine(columns, line)
    this.endLine(line.timeMs, columns.message.bytes + columns.attributes.bytes - before)
  }

  /** Completes a line. `bytes` is the size of its message and attributes together. */
  endLine(timeMs: number, bytes: number): void {
    this.#writer.endRow()
    this.#bytes += bytes
    if (timeMs < this.#firstTimeMs) this.#firstTimeMs = timeMs
    if (timeMs > this.#lastTimeMs) this.#lastTimeMs = timeMs
    if (this.#bytes >= BATCH_BYTES_MAX || this.#writer.rows >= BATCH_LINES_MAX) this.#finishBatch()
  }

  /** All batches. Nothing can be added any more. */
  finish(): readonly EncodedBatch[] {
    if (this.#writer.rows > 0) this.#finishBatch()
    this.drop()
    return this.#finished
  }

  /** Forgets everything. Nothing can be added any more. */
  drop(): void {
    this.#writer.clear()
    if (freeWriters.length < FREE_MAX) freeWriters.push(this.#writer)
  }

  #finishBatch(): void {
    this.#finished.push({
      lines: this.#writer.rows,
      bytes: Buffer.from(this.#writer.finish()),
      firstTimeMs: this.#firstTimeMs,
      lastTimeMs: this.#lastTimeMs,
    })
    this.#bytes = 0
    this.#firstTimeMs = Number.POSITIVE_INFINITY
    this.#lastTimeMs = Number.NEGATIVE_INFINITY
  }
}
