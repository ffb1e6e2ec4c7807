import { isDeepStrictEqual } from 'node:util'
import type { Result, Statement } from '@millrace/database'
import type { AdmissionControl } from '../admission/admission-control.js'
import type { Catalog } from '../plan/catalog.js'
import type { Plan } from '../plan/plan.js'
import { type PlannerConfig, planQuery } from '../plan/plan-query.js'
import type { CellQuery } from '../query/cell-query.js'
import type { CatalogMemory } from './catalog-memory.js'
import { type CellReading, type Groups, rawStatements, rollupStatements, toPlannedCells } from './cell-reading.js'
import { matchSeries } from './match-series.js'
import { type SeriesRow, seriesStatement } from './rollup-statements.js'

export interface TenantQuery {
  readonly tenantId: number
  readonly query: CellQuery
}

/** What a query will read if the catalog has not changed since it was last read. */
export interface SpeculativeReading {
  readonly catalog: Catalog
  readonly plan: Plan
  /** Undefined when the plan reads no series. */
  readonly series: Statement | undefined
  /** Absent when the series are not known, on which the statements depend. */
  readonly cells?: {
    readonly series: readonly SeriesRow[]
    readonly groups: Groups
    readonly statements: readonly Statement[]
  }
  /** Whether `series` and `cells` are everything that the plan reads. */
  readonly isWhole: boolean
}

/**
 * Guesses what a query will read from the catalog that was read last. Undefined when there is none. A guess reads as
 * much as the query, so a query that admission control would reject is not read ahead. Raw rows of a query that is
 * answered partly from rollups are not read ahead either, since which ones they are depends on the current catalog.
 */
export function speculate(
  { tenantId, query }: TenantQuery,
  {
    known,
    admission,
    config,
  }: { known: CatalogMemory; admission: AdmissionControl | undefined; config: PlannerConfig & { cellsMax: number } },
): SpeculativeReading | undefined {
  const catalog = known.catalogFor(tenantId, query)
  if (catalog === undefined) return undefined
  const plan = planCells(query, catalog, config)
  const series = plan.series === null ? undefined : seriesStatement(tenantId, plan.series)
  const alone = { catalog, plan, series, isWhole: false }
  const rows = plan.series === null ? [] : known.seriesOf(tenantId, plan.series)
  if (rows === undefined) return alone
  const groups = groupsOf(rows, plan, query)
  const reading: CellReading = { tenantId, query, catalog, groups, plan, cellsMax: config.cellsMax }
  if (admission?.wouldAdmitCells(toPlannedCells(reading)) === false) return alone
  const isRaw = plan.source === 'raw'
  const statements = isRaw ? rawStatements(reading) : rollupStatements(reading)
  const isWhole = isRaw || (plan.raw.length === 0 && plan.unflushed.mode === 'none')
  return { ...alone, cells: { series: rows, groups, statements }, isWhole }
}

/** The group of each series that the plan reads. */
export function groupsOf(rows: readonly SeriesRow[], { series }: Plan, query: CellQuery): Groups {
  return series === null ? new Map() : matchSeries(rows, series, query)
}

/**
 * The plan of a query. Returns the guessed plan itself when it is equal, so that callers can compare by identity; with
 * an equal catalog the plan is equal, since planning depends on nothing else.
 */
export function planCells(
  query: CellQuery,
  catalog: Catalog,
  config: PlannerConfig,
  expected?: Pick<SpeculativeReading, 'catalog' | 'plan'>,
): Plan {
  if (expected !== undefined && isDeepStrictEqual(catalog, expected.catalog)) return expected.plan
  const plan = planQuery({ ...query, groupBy: query.groupBy.map((path) => path.name) }, catalog, config)
  return expected !== undefined && isDeepStrictEqual(plan, expected.plan) ? expected.plan : plan
}

/** Results of one snapshot by their statement. */
export class StatementResults {
  readonly #results = new Map<Statement, Result>()
  /**
   * The same results by text and values; made when a statement is looked up that is not the same object as a statement
   * that ran.
   */
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
