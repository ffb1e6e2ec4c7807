import type { Masker } from '@millrace/masking'
import type { LogRecord } from './log-record.js'

/** The record with all its texts masked. */
export function maskRecord(record: LogRecord, masker: Pick<Masker, 'text' | 'value'>): LogRecord {
  return {
    ...record,
    service: masker.text(record.service),
    host: masker.text(record.host),
    severityText: masker.text(record.severityText),
    message: masker.text(record.message),
    attributes: masker.value(record.attributes) as Readonly<Record<string, unknown>>,
  }
}
