import type { Masker } from '@millrace/masking'
import type { LogRecord } from '../records/log-record.js'
import type { LogRejection, LogRejectionCode, LogSink } from '../records/log-sink.js'
import { maskRecord } from '../records/mask-record.js'
import { limitRecord } from '../records/record-limits.js'
import { type EncodedBatch, LineBatches } from './line-batches.js'
import { ScannedLines } from './scanned-lines.js'

/** What the collector uses for the records of one request. */
export interface CollectorDeps {
  /** The masker of the tenant. */
  readonly masker: Masker
  /** ms since 1970. */
  readonly receivedAtMs: number
}

/** The sink of one request: masks each record, brings it within the limits, and writes it to the batches of its service. Nothing unmasked is kept. */
export class RecordCollector implements LogSink {
  readonly #deps: CollectorDeps
  readonly #services = new Map<string, LineBatches>()
  #rejections: LogRejection[] = []
  #accepted = 0
  /** The same for lines that a scanner found in the bytes of the request. */
  readonly scanned: ScannedLines

  constructor(deps: CollectorDeps) {
    this.#deps = deps
    this.scanned = new ScannedLines({
      ...deps,
      batchesOf: (service) => this.#batchesOf(service),
      noteAdded: () => this.#accepted++,
      reset: () => this.#reset(),
    })
  }

  get accepted(): number {
    return this.#accepted
  }

  get rejections(): readonly LogRejection[] {
    return this.#rejections
  }

  add(record: LogRecord): void {
    const { masker, receivedAtMs } = this.#deps
    const stored = limitRecord(maskRecord(record, masker), receivedAtMs)
    this.#batchesOf(stored.service).add(stored)
    this.#accepted++
  }

  reject(index: number, code: LogRejectionCode, reason: string): void {
    this.#rejections.push({ index, code, reason })
  }

  /** The batches of the accepted records by service, in the order of their lines. Nothing can be added any more. */
  finish(): ReadonlyMap<string, readonly EncodedBatch[]> {
    const finished = [...this.#services].map(([service, batches]) => [service, batches.finish()] as const)
    this.#services.clear()
    return new Map(finished.filter(([, batches]) => batches.length > 0))
  }

  #batchesOf(service: string): LineBatches {
    let batches = this.#services.get(service)
    if (batches === undefined) {
      batches = new LineBatches()
      this.#services.set(service, batches)
    }
    return batches
  }

  #reset(): void {
    for (const batches of this.#services.values()) batches.drop()
    this.#services.clear()
    this.#rejections = []
    this.#accepted = 0
  }
}
