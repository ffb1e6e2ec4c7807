import type { QueryKindName, QueryPoint, RunQueryRequest } from '@millrace/contracts'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { EventNames } from '../query/event-names.js'
import type { ReadScope } from '../reads/read-scope.js'

/** What belongs to one request. The readers of a kind are given to its factory. */
export interface KindContext extends ReadScope {
  readonly nowMs: number
}

/** Limits of every query, from the settings. */
export interface QueryLimits {
  /** Most buckets of a range. */
  readonly bucketsMax: number
  /** Most points that one answer is computed from. */
  readonly cellsMax: number
}

export interface Answer {
  readonly data: readonly QueryPoint[]
  /** What the kind says about the whole range. */
  readonly summary?: unknown
  /** Empty on the last page. */
  readonly nextCursor: string
  readonly meta: AnswerMeta
}

/** A valid request, and everything that its answer depends on. */
export interface ParsedQuery {
  readonly kind: QueryKindName
  /** Tenant, kind and the normalised query: requests with equal keys have equal answers. */
  readonly canonicalKey: string
  /**
   * Only events in [fromMs, toMs) with these names can change the answer. The range may be wider than that of the request, for example with a
   * comparison.
   */
  readonly fromMs: number
  readonly toMs: number
  readonly events: EventNames
  /**
   * Reads the answer; may be called again for a newer one. @throws QUERY_TOO_EXPENSIVE before it reads anything, databaseErrors, and errors of kind
   * invalid for what only reading shows
   */
  run(): Promise<Answer>
}

/**
 * One kind of query. A new kind is a file here and a line in query-kinds.ts, beside its contract in packages/contracts/src/queries/kinds.
 */
export interface QueryKind {
  /** Checks the request; reads nothing. @throws errors of kind invalid */
  parse(request: RunQueryRequest, context: KindContext): ParsedQuery
}
