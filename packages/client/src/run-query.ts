import type { AnswerMemory, RememberedAnswer } from './answer-memory.js'
import type { QueryAnswerMeta, QueryKindName, QueryKinds } from './gen/query-types.js'
import { parseJson } from './parse-json.js'
import { presentMeta } from './present-meta.js'
import type { CallOptions, Received, Transport } from './transport.js'

type TimeField = 'from' | 'to' | 'min_watermark'

/** A query in which times may also be dates. */
export type WithDates<Q> = { readonly [K in keyof Q]: K extends TimeField ? Q[K] | Date : Q[K] }

/** Runs one query of any kind. */
export type RunQuery = <K extends QueryKindName>(
  kind: K,
  query: WithDates<QueryKinds[K]['query']>,
  options?: CallOptions,
) => Promise<QueryKinds[K]['answer']>

/** Some proxies and servers reject longer addresses, so such queries are sent in a body. */
const ADDRESS_MAX = 2000

/** Sends queries by GET, so that caches and ETags work, or by POST when the address would be too long. The answer's `meta` is current. */
export function createRunQuery({ transport, memory }: { transport: Transport; memory: AnswerMemory }): RunQuery {
  return async (kind, query, options) => {
    const path = `/api/v1/query/${kind}`
    const address = `${path}${toQueryString(query)}`
    type Answer = QueryKinds[typeof kind]['answer']
    if (address.length > ADDRESS_MAX) {
      const received = await transport.send({ method: 'POST', path, body: query }, options)
      return asOfNow(parseJson<Answer>(received.text), received)
    }
    const known = memory.get(address)
    const headers = known === undefined ? {} : { 'if-none-match': known.etag }
    const received = await transport.send({ path: address, headers, isRevalidated: true }, options)
    const same = received.status === 304 ? known : undefined
    const text = same?.text ?? received.text
    const answer = asOfNow(parseJson<Answer>(text), received, same)
    const etag = same?.etag ?? received.headers.get('etag')
    if (etag !== null) memory.put(address, { etag, text, meta: answer.meta, atMs: performance.now() })
    return answer
  }
}

function asOfNow<A extends { readonly meta: QueryAnswerMeta }>(
  answer: A,
  received: Received,
  known?: RememberedAnswer,
): A {
  return { ...answer, meta: presentMeta(answer.meta, received, { known, nowMs: performance.now() }) }
}

/** The query string, with fields sorted by name so that equal queries have equal addresses, and lists and objects as JSON. */
export function toQueryString(fields: Readonly<Record<string, unknown>>): string {
  const pairs: [string, string][] = []
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue
    if (name === 'metric') pairs.push(...metricPairs(value as { agg?: string; property?: string }))
    else pairs.push([name, toText(value)])
  }
  pairs.sort(([a], [b]) => (a < b ? -1 : 1))
  const text = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&')
  return text === '' ? '' : `?${text}`
}

function metricPairs({ agg, property }: { agg?: string; property?: string }): [string, string][] {
  return [
    ...(agg === undefined ? [] : [['metric', agg] as [string, string]]),
    ...(property === undefined ? [] : [['property', property] as [string, string]]),
  ]
}

function toText(value: unknown): string {
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}
