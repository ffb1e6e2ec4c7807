import type { QueryPoint } from '@millrace/contracts'
import { canonicalCells, canonicalKey } from '../query/canonical-key.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { KindContext, ParsedQuery } from './query-kind.js'

/** How a kind makes its answer of cells. */
export interface CellsQuestion {
  readonly kind: string
  readonly query: CellQuery
  /** Plain data that decides about the answer besides the query itself: limit, cursor. */
  readonly rest: unknown
  readonly arrange: (cells: readonly Cell[]) => { readonly data: readonly QueryPoint[]; readonly nextCursor: string }
}

/** A question that one query over cells answers. */
export function parseCells({ kind, query, rest, arrange }: CellsQuestion, context: KindContext): ParsedQuery {
  return {
    kind,
    canonicalKey: canonicalKey(context.tenantId, kind, [...canonicalCells(query), rest]),
    fromMs: query.fromMs,
    toMs: query.toMs,
    events: query.event === null ? '*' : [query.event],
    demands: [{ from: 'cells', query }],
    async run() {
      const { cells, meta } = await context.runCells(context, query)
      return { ...arrange(cells), meta }
    },
  }
}
