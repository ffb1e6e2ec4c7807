import type { CachePolicy } from '@millrace/contracts'
import { DAY_MS, SECOND_MS } from '@millrace/contracts'
import { EVERY_ANSWER, tagsOfRange } from '../invalidation/answer-tags.js'
import type { ParsedQuery } from '../kinds/query-kind.js'
import type { GivenAnswer } from './answer-cache.js'
import type { StoredAnswer } from './stored-answer.js'

const DAY_S = DAY_MS / SECOND_MS
/** What nobody purges is asked about again after this. */
const UNPURGED_S = 60
const OPEN_S = 1
const OPEN_STALE_S = 10

export interface HttpPolicyConfig {
  /** Older events are not accepted, in ms. */
  readonly maxAgeMs: number
  /** How long an edge that is told of late events may keep the answer over a closed range, in s; undefined when none is told. */
  readonly purgedEdgeS: number | undefined
}

/** How HTTP caches may treat an answer; undefined: not at all. See docs/decisions/0009-http-caching.md. */
export type HttpPolicy = (
  given: GivenAnswer,
  question: { readonly tenantId: number; readonly query: ParsedQuery },
) => CachePolicy | undefined

export function createHttpPolicy(config: HttpPolicyConfig, { now }: { readonly now: () => number }): HttpPolicy {
  // Worked out once an answer and not once a reader: of a long range it takes as long as everything else together. null: there are too many.
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
    // A day more, for events that were accepted just in time and had to wait for the stream.
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
