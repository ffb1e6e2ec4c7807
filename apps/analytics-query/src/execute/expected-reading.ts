import { isDeepStrictEqual } from 'node:util'
import type { Result, Statement } from '@millrace/database'
import type { CostGuard } from '../guard/cost-guard.js'
import type { Catalog } from '../plan/catalog.js'
import type { Plan } from '../plan/plan.js'
import { type PlannerConfig, planQuery } from '../plan/plan-query.js'
import type { CellQuery } from '../query/cell-query.js'
import { type CellReading, describeWork, type Groups, readingStatements } from './cell-reading.js'
import type { KnownCatalogs } from './known-catalogs.js'
import { matchSeries } from './match-series.js'
import { seriesStatement } from './rollup-statements.js'

export interface Asked {
  readonly tenantId: number
  readonly query: CellQuery
}

/** What a query will read if nothing has changed since the catalog was read last. */
export interface ExpectedReading {
  readonly catalog: Catalog
  readonly plan: Plan
  readonly statements: readonly Statement[]
  /** Whether the statements are all there is to read. */
  readonly isWhole: boolean
}

/**
 * Undefined when nothing is known yet. Reading ahead costs what the query may cost, so it must pass the guard as well; what the guard would refuse is
 * left to the query itself, and so are raw rows, of which it takes the catalog to know.
 */
export function expectReading(
  { tenantId, query }: Asked,
  {
    known,
    guard,
    config,
  }: { known: KnownCatalogs; guard: CostGuard | undefined; config: PlannerConfig & { cellsMax: number } },
): ExpectedReading | undefined {
  const catalog = known.catalogFor(tenantId, query)
  if (catalog === undefined) return undefined
  const plan = planCells(query, catalog, config)
  if (plan.series === null) return undefined
  const series = seriesStatement(tenantId, plan.series)
  const rows = known.seriesOf(tenantId, plan.series)
  if (rows === undefined) return { catalog, plan, statements: [series], isWhole: false }
  const groups: Groups = matchSeries(rows, plan.series, query)
  const isWhole = plan.raw.length === 0 && plan.tail.mode === 'none'
  const reading: CellReading = { tenantId, query, catalog, groups, plan, cellsMax: config.cellsMax }
  if (guard?.wouldAdmitCells(describeWork(reading)) === false)
    return { catalog, plan, statements: [series], isWhole: false }
  const ahead = readingStatements({ ...reading, plan: { ...plan, raw: [], tail: { mode: 'none' } } })
  return { catalog, plan, statements: [series, ...ahead], isWhole }
}

/** The plan of a query; that which was expected where the catalog is as expected, since planning knows nothing else. */
export function planCells(
  query: CellQuery,
  catalog: Catalog,
  config: PlannerConfig,
  expected?: Pick<ExpectedReading, 'catalog' | 'plan'>,
): Plan {
  if (expected !== undefined && isDeepStrictEqual(catalog, expected.catalog)) return expected.plan
  return planQuery({ ...query, groupBy: query.groupBy.map((path) => path.name) }, catalog, config)
}

/** Results of one snapshot by what was asked. */
export class Answered {
  readonly #results = new Map<string, Result>()

  add(statements: readonly Statement[], results: readonly Result[]): void {
    for (const [index, statement] of statements.entries()) {
      const result = results[index]
      if (result !== undefined) this.#results.set(keyOf(statement), result)
    }
  }

  find(statement: Statement): Result | undefined {
    return this.#results.size === 0 ? undefined : this.#results.get(keyOf(statement))
  }
}

function keyOf({ text, values }: Statement): string {
  return JSON.stringify([text, values], (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}
