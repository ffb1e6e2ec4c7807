import { createHash } from 'node:crypto'
import type { Codec } from '@millrace/cache'
import type { AnswerMeta } from '../query/answer-meta.js'

/** An answer as it is kept: its bytes are those that go out. */
export interface StoredAnswer {
  readonly dataJson: Buffer
  /** Empty for none. */
  readonly summaryJson: Buffer
  readonly nextCursor: string
  /** Equal data, summary and cursor have an equal one. */
  readonly etag: string
  readonly source: AnswerMeta['source']
  /** When it was read. */
  readonly ageMs: number
  readonly watermarkMs: number | null
  /** Only a late event can change it, and each of those drops it. */
  readonly isClosed: boolean
}

/** Why there is no answer, where an older one may not stand in. Given to who asks and kept nowhere. */
export interface Refusal {
  readonly refused: unknown
}

export type Outcome = StoredAnswer | Refusal

export function etagOf(parts: readonly (Buffer | string)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part).update('\n')
  return hash.digest('base64url').slice(0, 22)
}

interface Head extends Omit<StoredAnswer, 'dataJson' | 'summaryJson'> {
  readonly dataBytes: number
}

/** u32 bytes of the head, the head as JSON, data, summary. Reading parses the head alone. */
export const answerCodec: Codec<Outcome> = {
  encode(outcome) {
    if ('refused' in outcome) return Buffer.alloc(0)
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
