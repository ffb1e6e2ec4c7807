import type { RememberedAnswer } from './answer-memory.js'
import type { QueryAnswerMeta } from './gen/query-types.js'
import type { Received } from './transport.js'

type Renewed = Pick<QueryAnswerMeta, 'source' | 'age_ms' | 'watermark' | 'took_ms'>

/** Name and value, the value in quotation marks or not, of a dictionary of RFC 9651. */
const FIELD = /([a-z_]+)=(?:"([^"]*)"|([^",\s]+))/g

/**
 * What is known now of an answer whose body says `said`. Headers are believed over the body, which caches keep as it was made; without them a body that
 * was remembered has grown older by the time since.
 *
 * The age is never a difference of this machine's wall clock and another's: it is what the gateway said, what caches on the way have added (`Age`, or
 * where a proxy writes a `Date` of its own the time from the gateway's `sent_at` to that), and the time from the request until now
 * (https://www.rfc-editor.org/rfc/rfc9111#section-4.2.3), of which the server's waiting for a watermark is no part.
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
  // Of an answer that was remembered, the waiting was the first request's.
  const waitedMs = known === undefined ? (said.waited_ms ?? 0) : 0
  const wayMs = Math.max(0, nowMs - received.askedAtMs - waitedMs)
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

/** In caches on the way, in ms, to the second. Not every one says `Age`: nginx writes the present `Date` and nothing else. */
function keptMs(headers: Headers, sentAt: string | undefined): number {
  const ageMs = Number(headers.get('age') ?? 0) * 1000
  const sinceMs = Date.parse(headers.get('date') ?? '') - Date.parse(sentAt ?? '')
  return Math.max(0, ageMs || 0, sinceMs || 0)
}
