import type { QueryPoint, RunQueryRequest } from '@millrace/contracts'
import type { RunCells } from '../execute/run-cells.js'
import type { AnswerMeta } from '../query/answer-meta.js'

/** What a kind of query works with. */
export interface KindContext {
  readonly tenantId: number
  readonly nowMs: number
  readonly bucketsMax: number
  /** Plans a query over cells and runs it in one snapshot. */
  readonly runCells: RunCells
}

export interface Answer {
  readonly data: readonly QueryPoint[]
  /** What the kind says about the whole. */
  readonly summary?: unknown
  /** Empty on the last page. */
  readonly nextCursor: string
  readonly meta: AnswerMeta
}

/** One kind of query; a new one is a new file beside this one and a line in query-kinds.ts. */
export interface QueryKind {
  readonly name: string
  /** @throws errors of kind invalid for a request that is not right, databaseErrors otherwise. */
  run(request: RunQueryRequest, context: KindContext): Promise<Answer>
}
