import type { CachePolicy } from '@millrace/contracts'
import { DAY_MS, SECOND_MS } from '@millrace/contracts'
import { EVERY_ANSWER, tagsOfRange } from '../invalidation/answer-tags.js'
import type { ParsedQuery } from '../kinds/query-kind.js'
import type { ServedAnswer } from './answer-cache.js'
import type { StoredAnswer } from './stored-answer.js'

const DAY_S = DAY_MS / SECOND_MS
/** How long an edge caches an answer that it cannot be told to purge. */
const UNPURGED_S = 60
const OPEN_S = 1
const OPEN_STALE_S = 10

export interface HttpPolicyConfig {
  /** The gateway rejects older events, in ms. */
  readonly maxAgeMs: number
  /**
   * How long an edge that is purged after late events may cache an answer over a closed range, in s; undefined when no
   * edge is purged.
   */
  readonly purgedEdgeS: number | undefined
}

/** How HTTP caches may store an answer; undefined: not at all. See docs/decisions/0009-http-caching.md. */
export type HttpPolicy = (
  given: ServedAnswer,
  request: { readonly tenantId: number; readonly query: ParsedQuery },
) => CachePolicy | undefined

export function createHttpPolicy(config: HttpPolicyConfig, { now }: { readonly now: () => number }): HttpPolicy {
  // Computed once per answer instead of once per request: for a long range it takes as long as the rest of the request.
  // null: there are too many.
  const known = new WeakMap<StoredAnswer, readonly string[] | null>()
  const tagsOf = (answer: StoredAnswer, tenantId: number, query: ParsedQuery): readonly string[] | null => {
    const tags = known.get(answer) ?? tagsOfRange(tenantId, query.events, query) ?? null
    known.set(answer, tags)
    return tags
  }
  return function httpPolicyOf({ answer, isStale }, { tenantId, query }) {
    if (isStale) return undefined
    const { etag } = answer
    const forAll = [EVERY_ANSWER, `t${tenantId}`]
    if (!answer.isClosed)
      return { etag, maxAgeS: OPEN_S, staleWhileRevalidateS: OPEN_STALE_S, isImmutable: false, surrogateKeys: forAll }
    // One more day, for events that were accepted in time and then waited in the spool.
    const isImmutable = query.toMs <= now() - config.maxAgeMs - DAY_MS
    const tags = tagsOf(answer, tenantId, query)
    const purgedS = tags === null ? UNPURGED_S : (config.purgedEdgeS ?? UNPURGED_S)
    return {
      etag,
      maxAgeS: isImmutable ? DAY_S : purgedS,
      staleWhileRevalidateS: 0,
      isImmutable,
      surrogateKeys: [...forAll, ...(tags ?? [])],
    }
  }
}
