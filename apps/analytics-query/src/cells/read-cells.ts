import type { Statement } from '@millrace/database'
import type { AdmissionControl } from '../admission/admission-control.js'
import type { CostEstimate } from '../admission/estimate-cost.js'
import type { Catalog } from '../plan/catalog.js'
import { describePlan } from '../plan/describe-plan.js'
import type { Plan } from '../plan/plan.js'
import { type PlannerConfig, planQuery } from '../plan/plan-query.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import { rowsOf } from '../sql/rows-of.js'
import {
  addUpCells,
  type CellReading,
  type Groups,
  type RunStatements,
  rawStatements,
  rollupStatements,
  toPlannedCells,
} from './cell-reading.js'
import { matchSeries } from './match-series.js'
import { type CatalogConfig, catalogStatements, toCatalog } from './read-catalog.js'
import { type SeriesRow, seriesStatement } from './rollup-statements.js'

export interface CellsAnswer {
  readonly cells: Cell[]
  readonly meta: AnswerMeta
}

export interface ReadCellsConfig extends PlannerConfig, CatalogConfig {
  /** Maximum cells of one query. */
  readonly cellsMax: number
}

export interface TenantQuery {
  readonly tenantId: number
  readonly query: CellQuery
}

/** The steps from one result to the next statements. All of them are pure functions of the query and these results. */
export interface CellSteps {
  plan(catalog: Catalog): Plan
  /** Undefined when the plan reads no series. */
  series(plan: Plan): Statement | undefined
  groups(plan: Plan, series: readonly SeriesRow[]): Groups
  /** The statements of rollupStatements, followed by those of rawStatements. */
  cells(reading: CellReading): readonly Statement[]
}

export function createSteps({ tenantId, query }: TenantQuery, config: PlannerConfig): CellSteps {
  return {
    plan: (catalog) => planQuery({ ...query, groupBy: query.groupBy.map((path) => path.name) }, catalog, config),
    series: ({ series }) => (series === null ? undefined : seriesStatement(tenantId, series)),
    groups: ({ series }, rows) => (series === null ? new Map() : matchSeries(rows, series, query)),
    cells: (reading) => [...rollupStatements(reading), ...rawStatements(reading)],
  }
}

export interface ReadCellsDeps {
  /** Runs statements, all of them in one snapshot. */
  readonly run: RunStatements
  readonly steps: CellSteps
  readonly admission: AdmissionControl | undefined
  readonly now: () => number
}

/**
 * Reads the cells of a query: the catalog, the series that the plan needs, then the cells. `run` is called once for
 * each of them, and once more if packed minutes turn out to be missing.
 * @throws databaseErrors, QUERY_TOO_EXPENSIVE, TOO_MANY_GROUPS
 */
export async function readCells(
  { tenantId, query }: TenantQuery,
  config: ReadCellsConfig,
  { run, steps, admission, now }: ReadCellsDeps,
): Promise<CellsAnswer> {
  const catalog = toCatalog(await run(catalogStatements(query, config)), config)
  const plan = steps.plan(catalog)
  const series = steps.series(plan)
  const [found] = series === undefined ? [] : await run([series])
  const groups = steps.groups(plan, rowsOf<SeriesRow>(found))
  const reading: CellReading = { tenantId, query, plan, catalog, groups, cellsMax: config.cellsMax }
  const estimate = await admission?.admitCells(toPlannedCells(reading))
  const cells = await addUpCells(reading, steps.cells(reading), run)
  return { cells, meta: describeAnswer(plan, catalog, { nowMs: now(), estimate }) }
}

/** An answer without unflushed records is as old as the last flush of the rollups. Every other one is current. */
function describeAnswer(
  plan: Plan,
  catalog: Catalog,
  { nowMs, estimate }: { nowMs: number; estimate: CostEstimate | undefined },
): AnswerMeta {
  const isAsOfFlush = plan.unflushed.mode === 'left_out'
  const marks = catalog.partitions.map(({ watermarkMs, flushedWatermarkMs }) =>
    isAsOfFlush ? (flushedWatermarkMs ?? watermarkMs) : watermarkMs,
  )
  const known = marks.filter((mark) => mark !== null)
  // While some partition was never consumed there is no watermark.
  const watermarkMs = known.length === 0 || known.length < marks.length ? null : Math.min(...known)
  // Never 0 for an answer that leaves something out, even if clocks differ: age 0 would allow caching it for days.
  const ageMs = isAsOfFlush ? Math.max(1, watermarkMs === null ? 0 : nowMs - watermarkMs) : 0
  return {
    source: plan.source,
    ageMs,
    watermarkMs,
    plan: { ...describePlan(plan), ...(estimate !== undefined && { estimate }) },
  }
}
