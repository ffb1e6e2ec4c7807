import type { LogRecord } from '../records/log-record.js'

/** A record without any content, to spread in the expectations of tests. */
export const EMPTY_RECORD: LogRecord = {
  timeMs: undefined,
  timeSubNs: 0,
  severity: 0,
  severityText: '',
  service: '',
  host: '',
  traceId: '',
  spanId: '',
  message: '',
  attributes: {},
  flags: 0,
  originalBytes: 0,
}

/** Copies without undefined and without the missing prototypes of decoded objects, so that toEqual compares content alone. */
export function plainOf(records: readonly LogRecord[]): unknown {
  return JSON.parse(JSON.stringify(records))
}
