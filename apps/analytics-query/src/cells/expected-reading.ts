import { isDeepStrictEqual } from 'node:util'
import type { Result, Statement } from '@millrace/database'
import type { CostGuard } from '../admission/cost-guard.js'
import type { Catalog } from '../plan/catalog.js'
import type { Plan } from '../plan/plan.js'
import { type PlannerConfig, planQuery } from '../plan/plan-query.js'
import type { CellQuery } from '../query/cell-query.js'
import { type CellReading, describeWork, type Groups, rawStatements, rollupStatements } from './cell-reading.js'
import type { KnownCatalogs } from './known-catalogs.js'
import { matchSeries } from './match-series.js'
import { type SeriesRow, seriesStatement } from './rollup-statements.js'

export interface Asked {
  readonly tenantId: number
  readonly query: CellQuery
}

/** What a query will read if nothing has changed since the catalog was read last. */
export interface ExpectedReading {
  readonly catalog: Catalog
  readonly plan: Plan
  /** Undefined where no series are read. */
  readonly series: Statement | undefined
  /** Absent where it takes the series to know. */
  readonly cells?: {
    readonly series: readonly SeriesRow[]
    readonly groups: Groups
    readonly statements: readonly Statement[]
  }
  /** Whether series and cells are all there is to read. */
  readonly isWhole: boolean
}

/**
 * Undefined when nothing is known yet. Reading ahead costs what the query may cost, so it must pass the guard as well; what the guard would refuse is
 * left to the query itself. So are the raw rows of a query that rollups answer in part, of which it takes the catalog to know.
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
  const series = plan.series === null ? undefined : seriesStatement(tenantId, plan.series)
  const alone = { catalog, plan, series, isWhole: false }
  const rows = plan.series === null ? [] : known.seriesOf(tenantId, plan.series)
  if (rows === undefined) return alone
  const groups = groupsOf(rows, plan, query)
  const reading: CellReading = { tenantId, query, catalog, groups, plan, cellsMax: config.cellsMax }
  if (guard?.wouldAdmitCells(describeWork(reading)) === false) return alone
  const isRaw = plan.source === 'raw'
  const statements = isRaw ? rawStatements(reading) : rollupStatements(reading)
  const isWhole = isRaw || (plan.raw.length === 0 && plan.tail.mode === 'none')
  return { ...alone, cells: { series: rows, groups, statements }, isWhole }
}

/** The groups that the cells of a query have. */
export function groupsOf(rows: readonly SeriesRow[], { series }: Plan, query: CellQuery): Groups {
  return series === null ? new Map() : matchSeries(rows, series, query)
}

/** The plan of a query; the very one that was expected where it is equal, as it is where the catalog is, since planning knows nothing else. */
export function planCells(
  query: CellQuery,
  catalog: Catalog,
  config: PlannerConfig,
  expected?: Pick<ExpectedReading, 'catalog' | 'plan'>,
): Plan {
  if (expected !== undefined && isDeepStrictEqual(catalog, expected.catalog)) return expected.plan
  const plan = planQuery({ ...query, groupBy: query.groupBy.map((path) => path.name) }, catalog, config)
  return expected !== undefined && isDeepStrictEqual(plan, expected.plan) ? expected.plan : plan
}

/** Results of one snapshot by what was asked. */
export class Answered {
  readonly #results = new Map<Statement, Result>()
  /** Those of equal statements; made when one is looked for that is not among those asked. */
  #equal: Map<string, Result> | undefined

  add(statements: readonly Statement[], results: readonly Result[]): void {
    this.#equal = undefined
    for (const [index, statement] of statements.entries()) {
      const result = results[index]
      if (result !== undefined) this.#results.set(statement, result)
    }
  }

  find(statement: Statement): Result | undefined {
    const result = this.#results.get(statement)
    if (result !== undefined || this.#results.size === 0) return result
    this.#equal ??= new Map(Array.from(this.#results, ([asked, answer]) => [keyOf(asked), answer]))
    return this.#equal.get(keyOf(statement))
  }
}

function keyOf({ text, values }: Statement): string {
  return JSON.stringify([text, values], (_, value) => (typeof value === 'bigint' ? `${value}n` : value))
}
