import type { LogRecord } from './log-record.js'
import type { ScannedSink } from './scanned-line.js'

/** A record that was refused, while the others of its request are accepted. */
export interface LogRejection {
  /** Index of the record in its request, from 0, as the source counts them. */
  readonly index: number
  /** A stable code in lower case with underscores, for clients and metrics: `invalid_json`. */
  readonly code: LogRejectionCode
  /** A sentence about what is wrong, without any value of the record. */
  readonly reason: string
}

/** Why single records are refused. */
export type LogRejectionCode = 'invalid_json' | 'not_an_object' | 'invalid_record' | 'unsupported'

/**
 * Takes the records of one request. A source calls `add` or `reject` once for each record, in the order of the request, and knows nothing of limits,
 * masking or the stream. Nothing is kept before the whole request is read: a source that throws refuses its whole request.
 */
export interface LogSink {
  add(record: LogRecord): void
  reject(index: number, code: LogRejectionCode, reason: string): void
  /** The way for lines that need no object. Default: every record comes by `add`. */
  readonly scanned?: ScannedSink
}
