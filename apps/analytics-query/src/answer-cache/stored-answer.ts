import { createHash } from 'node:crypto'
import type { Codec } from '@millrace/cache'
import type { AnswerMeta } from '../query/answer-meta.js'

/** A cached answer, as the bytes that are sent. */
export interface StoredAnswer {
  readonly dataJson: Buffer
  /** Empty when there is no summary. */
  readonly summaryJson: Buffer
  /** A position, not yet bound to a request. */
  readonly nextCursor: string
  /** Hash of data, summary and cursor. */
  readonly etag: string
  readonly source: AnswerMeta['source']
  /** The age at the time when it was read. */
  readonly ageMs: number
  readonly watermarkMs: number | null
  /** Whether only late events can change it, which invalidate it. */
  readonly isClosed: boolean
}

/** An error that no stale answer may replace. Returned to all callers of the load and not cached. */
export interface FailedQuery {
  readonly error: unknown
}

export type CacheEntry = StoredAnswer | FailedQuery

export function etagOf(parts: readonly (Buffer | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\n')
  return hash.digest('base64url').slice(0, 22)
}

interface Head extends Omit<StoredAnswer, 'dataJson' | 'summaryJson'> {
  readonly dataBytes: number
}

/** Layout: length of the head as u32, the head as JSON, data, summary. Decoding parses only the head. */
export const answerCodec: Codec<CacheEntry> = {
  encode(outcome) {
    if ('error' in outcome) return Buffer.alloc(0)
    const { dataJson, summaryJson, ...rest } = outcome
    const head: Head = { ...rest, dataBytes: dataJson.length }
    const text = Buffer.from(JSON.stringify(head))
    const length = Buffer.alloc(4)
    length.writeUInt32LE(text.length)
    return Buffer.concat([length, text, dataJson, summaryJson])
  },
  decode(bytes) {
    const dataAt = 4 + bytes.readUInt32LE(0)
    const { dataBytes, ...head } = JSON.parse(bytes.toString('utf8', 4, dataAt)) as Head
    const summaryAt = dataAt + dataBytes
    return { ...head, dataJson: bytes.subarray(dataAt, summaryAt), summaryJson: bytes.subarray(summaryAt) }
  },
}
