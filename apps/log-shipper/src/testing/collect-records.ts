import type { LogRecord } from '../records/log-record.js'
import type { LogRejection, LogSink } from '../records/log-sink.js'

/** A sink that keeps what a decoder gives it, in `records` and `rejections`. */
export class CollectedRecords implements LogSink {
  readonly records: LogRecord[] = []
  readonly rejections: LogRejection[] = []

  add(record: LogRecord): void {
    this.records.push(record)
  }

  reject(index: number, code: LogRejection['code'], reason: string): void {
    this.rejections.push({ index, code, reason })
  }
}
