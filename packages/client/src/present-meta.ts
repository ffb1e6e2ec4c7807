import type { RememberedAnswer } from './answer-memory.js'
import type { QueryAnswerMeta } from './gen/query-types.js'
import type { Received } from './transport.js'

type Renewed = Pick<QueryAnswerMeta, 'source' | 'age_ms' | 'watermark' | 'took_ms'>

/** A name and its value, with or without quotation marks, in a dictionary of RFC 9651. */
const FIELD = /([a-z_]+)=(?:"([^"]*)"|([^",\s]+))/g

/**
 * The current meta of an answer with `said` in its body. The header Millrace-Meta takes precedence over the body, because caches keep bodies as they
 * were. Without the header, a remembered answer keeps its meta and its age grows with time.
 *
 * The age never compares the wall clocks of two machines. It is the sum of the age that the gateway reported, the time in caches (the header `Age`,
 * or the time from the gateway's `sent_at` to the `Date` of a proxy), and the time since the request was sent, without the time that the server
 * waited for a watermark (https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3).
 */
export function presentMeta(
  said: QueryAnswerMeta,
  received: Received,
  { known, nowMs }: { readonly known: RememberedAnswer | undefined; readonly nowMs: number },
): QueryAnswerMeta {
  const fields = readFields(received.headers.get('millrace-meta'))
  const renewed = readRenewed(fields)
  if (renewed === undefined) {
    return known === undefined ? said : { ...known.meta, age_ms: known.meta.age_ms + nowMs - known.atMs }
  }
  // For a remembered answer, the wait was part of the first request, not of this one.
  const waitedMs = known === undefined ? (said.waited_ms ?? 0) : 0
  const wayMs = Math.max(0, nowMs - received.sentAtMs - waitedMs)
  return {
    ...said,
    ...renewed,
    age_ms: Math.round(renewed.age_ms + keptMs(received.headers, fields.get('sent_at')) + wayMs),
  }
}

function readFields(text: string | null): ReadonlyMap<string, string> {
  const pairs = [...(text ?? '').matchAll(FIELD)]
  return new Map(pairs.map(([, name = '', quoted, bare]) => [name, quoted ?? bare ?? '']))
}

function readRenewed(fields: ReadonlyMap<string, string>): Renewed | undefined {
  const [ageMs, tookMs] = [Number(fields.get('age_ms')), Number(fields.get('took_ms'))]
  if (Number.isNaN(ageMs) || Number.isNaN(tookMs)) return undefined
  return {
    source: fields.get('source') as QueryAnswerMeta['source'],
    age_ms: ageMs,
    watermark: fields.get('watermark') ?? null,
    took_ms: tookMs,
  }
}

/** Milliseconds that the answer spent in caches, rounded to seconds. Not every proxy sends `Age`: nginx only replaces `Date` by the current time. */
function keptMs(headers: Headers, sentAt: string | undefined): number {
  const ageMs = Number(headers.get('age') ?? 0) * 1000
  const sinceMs = Date.parse(headers.get('date') ?? '') - Date.parse(sentAt ?? '')
  return Math.max(0, ageMs || 0, sinceMs || 0)
}
