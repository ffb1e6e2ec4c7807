import type { QueryPoint, RunQueryRequest } from '@millrace/contracts'
import type { RunCells } from '../cells/run-cells.js'
import type { ReadDaily } from '../daily-report/read-daily.js'
import type { ReadMarks } from '../journeys/read-marks.js'
import type { ReadLogins } from '../logins/read-logins.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { EventNames } from '../query/event-names.js'
import type { ReadScope } from '../reads/read-scope.js'

/** What a kind of query works with. */
export interface KindContext extends ReadScope {
  readonly nowMs: number
  readonly bucketsMax: number
  /** Most points that an answer is put together from. */
  readonly cellsMax: number
  /** Plans a query over cells and runs it in one snapshot. */
  readonly runCells: RunCells
  /** Reads rows one by one, packed. */
  readonly readMarks: ReadMarks
  readonly readLogins: ReadLogins
  /** Reads the standing report by day. */
  readonly readDaily: ReadDaily
}

export interface Answer {
  readonly data: readonly QueryPoint[]
  /** What the kind says about the whole. */
  readonly summary?: unknown
  /** Empty on the last page. */
  readonly nextCursor: string
  readonly meta: AnswerMeta
}

/** A request that was found right, and everything that its answer depends on. */
export interface ParsedQuery {
  readonly kind: string
  /** Tenant, kind and the query in normal form: equal keys, equal questions. */
  readonly canonicalKey: string
  /** No event outside [fromMs, toMs), and none of another name, changes the answer. The range may be wider than the one asked for. */
  readonly fromMs: number
  readonly toMs: number
  readonly events: EventNames
  /** Reads the answer; may be called again for a newer one. @throws QUERY_TOO_EXPENSIVE before it reads, databaseErrors, and errors of kind invalid for what only reading shows. */
  run(): Promise<Answer>
}

/** One kind of query; a new one is a new file beside this one and a line in query-kinds.ts. */
export interface QueryKind {
  readonly name: string
  /** Reads nothing. @throws errors of kind invalid for a request that is not right. */
  parse(request: RunQueryRequest, context: KindContext): ParsedQuery
}
