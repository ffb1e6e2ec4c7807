import type { CachePolicy } from '@millrace/contracts'
import type { ParsedQuery } from '../kinds/query-kind.js'
import type { GivenAnswer } from './answer-cache.js'
import { tagsOfRange } from './answer-tags.js'

const DAY_MS = 86_400_000
const DAY_S = 86_400
/** What nobody purges is asked about again after this. */
const UNPURGED_S = 60
const OPEN_S = 1
const OPEN_STALE_S = 10

/** Every answer bears it, so that an edge can be told to forget all of them. */
export const EVERY_ANSWER = 'millrace'

export interface HttpPolicyConfig {
  /** Older events are not accepted, in ms. */
  readonly maxAgeMs: number
  /** How long an edge that is told of late events may keep the answer over a closed range, in s; undefined when none is told. */
  readonly purgedEdgeS: number | undefined
}

/** How HTTP caches may treat an answer; undefined: not at all. See docs/decisions/0009-http-caching.md. */
export function httpPolicyOf(
  { answer, isStale }: GivenAnswer,
  { tenantId, query }: { readonly tenantId: number; readonly query: ParsedQuery },
  { config, nowMs }: { readonly config: HttpPolicyConfig; readonly nowMs: number },
): CachePolicy | undefined {
  if (isStale) return undefined
  const { etag } = answer
  const tags = tagsOfRange(tenantId, query.events, query)
  const surrogateKeys = [EVERY_ANSWER, `t${tenantId}`, ...(tags ?? [])]
  if (!answer.isClosed) {
    return { etag, maxAgeS: OPEN_S, staleWhileRevalidateS: OPEN_STALE_S, isImmutable: false, surrogateKeys }
  }
  // A day more, for events that were accepted just in time and had to wait for the stream.
  const isImmutable = query.toMs <= nowMs - config.maxAgeMs - DAY_MS
  const purgedS = tags === undefined ? UNPURGED_S : (config.purgedEdgeS ?? UNPURGED_S)
  return { etag, maxAgeS: isImmutable ? DAY_S : purgedS, staleWhileRevalidateS: 0, isImmutable, surrogateKeys }
}
