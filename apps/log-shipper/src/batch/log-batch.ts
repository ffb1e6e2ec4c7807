import type { StoredRecord } from '../records/record-limits.js'

/** Lines of one tenant and service, in the order in which they were accepted. */
export interface LogBatch {
  readonly lines: readonly StoredRecord[]
}

export function encodeBatch(lines: readonly StoredRecord[]): Buffer {
  return Buffer.from(JSON.stringify(lines))
}

/** @throws SyntaxError when the bytes are no batch */
export function decodeBatch(bytes: Buffer): LogBatch {
  return { lines: JSON.parse(bytes.toString('utf8')) as StoredRecord[] }
}
