import type { Masker } from '@millrace/masking'
import type { LogRecord } from './log-record.js'
import type { LogRejection, LogRejectionCode, LogSink } from './log-sink.js'
import { limitRecord, type StoredRecord } from './record-limits.js'

/** What the collector uses for the records of one request. */
export interface CollectorDeps {
  /** The masker of the tenant. */
  readonly masker: Pick<Masker, 'text' | 'value'>
  /** ms since 1970. */
  readonly receivedAtMs: number
}

/** The sink of one request: masks each record, then brings it within the limits. Nothing unmasked is kept. */
export class RecordCollector implements LogSink {
  readonly #deps: CollectorDeps
  readonly #byService = new Map<string, StoredRecord[]>()
  readonly rejections: LogRejection[] = []
  accepted = 0

  constructor(deps: CollectorDeps) {
    this.#deps = deps
  }

  /** The accepted records by service, in their order. */
  get services(): ReadonlyMap<string, readonly StoredRecord[]> {
    return this.#byService
  }

  add(record: LogRecord): void {
    const { masker, receivedAtMs } = this.#deps
    const stored = limitRecord(maskRecord(record, masker), receivedAtMs)
    const same = this.#byService.get(stored.service)
    if (same === undefined) this.#byService.set(stored.service, [stored])
    else same.push(stored)
    this.accepted++
  }

  reject(index: number, code: LogRejectionCode, reason: string): void {
    this.rejections.push({ index, code, reason })
  }
}

/** The record with all its texts masked. */
export function maskRecord(record: LogRecord, masker: CollectorDeps['masker']): LogRecord {
  return {
    ...record,
    service: masker.text(record.service),
    host: masker.text(record.host),
    severityText: masker.text(record.severityText),
    message: masker.text(record.message),
    attributes: masker.value(record.attributes) as Readonly<Record<string, unknown>>,
  }
}
