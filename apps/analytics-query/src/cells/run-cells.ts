import type { CellQuery } from '../query/cell-query.js'
import type { ReadScope } from '../reads/read-scope.js'
import type { CellsAnswer, ReadCellsConfig } from './read-cells.js'
import { SpeculativeReader } from './speculative-reader.js'

/** Plans a query over cells and reads it, everything in one snapshot. */
export type RunCells = (scope: ReadScope, query: CellQuery) => Promise<CellsAnswer>

export function createRunCells(config: ReadCellsConfig, deps: { readonly now: () => number }): RunCells {
  const reader = new SpeculativeReader(config, deps)
  return (scope, query) => reader.read(scope, { tenantId: scope.tenantId, query })
}
