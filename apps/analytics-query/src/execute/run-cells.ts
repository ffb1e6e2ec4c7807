import type { Result, Statement, Transaction } from '@millrace/database'
import type { CostGuard, PlannedCells } from '../guard/cost-guard.js'
import type { CostEstimate } from '../guard/estimate-cost.js'
import type { Measure } from '../measures/measure.js'
import { measureOf } from '../measures/measures.js'
import type { Catalog } from '../plan/catalog.js'
import { describePlan } from '../plan/describe-plan.js'
import type { Plan } from '../plan/plan.js'
import { type PlannerConfig, planQuery } from '../plan/plan-query.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import { CellTable } from './cell-table.js'
import { matchSeries } from './match-series.js'
import { type RawRows, rawStatement } from './raw-statement.js'
import { type CatalogConfig, readCatalog } from './read-catalog.js'
import type { ReadScope } from './read-scope.js'
import { rollupStatement, type SeriesRow, seriesStatement } from './rollup-statements.js'

export type RunCells = (scope: ReadScope, query: CellQuery) => Promise<{ cells: Cell[]; meta: AnswerMeta }>

export interface RunCellsConfig extends PlannerConfig, CatalogConfig {
  /** Most cells of one query; more are refused. */
  readonly cellsMax: number
}

export interface RunCellsDeps {
  /** Refuses what is too expensive. Default: nothing is. */
  readonly guard?: CostGuard | undefined
  readonly now: () => number
}

/** Plans and runs queries over cells. All that one query reads is of one snapshot. */
export function createRunCells(config: RunCellsConfig, deps: RunCellsDeps): RunCells {
  return async function runCells({ tenantId, read }, query) {
    return await read(async (tx) => {
      const catalog = await readCatalog(tx, query, config)
      const plan = planQuery({ ...query, groupBy: query.groupBy.map((path) => path.name) }, catalog, config)
      const groups = await readSeries(tx, { tenantId, query, plan })
      const estimate = deps.guard?.admitCells(describeWork({ tenantId, query, plan, catalog }, groups))
      const cells = await readPlan(tx, { tenantId, query, plan, catalog, cellsMax: config.cellsMax }, groups)
      return { cells, meta: describeAnswer(plan, catalog, { nowMs: deps.now(), estimate }) }
    })
  }
}

interface Reading {
  readonly tenantId: number
  readonly query: CellQuery
  readonly plan: Plan
  readonly catalog: Catalog
  readonly cellsMax: number
}

/** The groups that series belong to, by the series' id. */
type Groups = ReadonlyMap<number, readonly (string | null)[]>

function describeWork({ tenantId, query, plan, catalog }: Omit<Reading, 'cellsMax'>, groups: Groups): PlannedCells {
  const distinct = new Set(Array.from(groups.values(), (group) => JSON.stringify(group)))
  return {
    tenantId,
    query,
    plan,
    series: groups.size,
    groups: plan.series === null ? null : distinct.size,
    streamPartitions: catalog.partitions.length,
  }
}

async function readPlan(tx: Transaction, reading: Reading, groups: Groups): Promise<Cell[]> {
  const { query, cellsMax } = reading
  const measure = measureOf(query.metric)
  const table = new CellTable(query.groupBy, () => measure.createAccumulator(query.metric), cellsMax)
  const rollups = groups.size === 0 ? [] : rollupStatements(reading, measure, [...groups.keys()])
  const raws = rawStatements(reading, measure)
  if (rollups.length + raws.length === 0) return []
  const results = await tx.pipeline([...rollups, ...raws])
  for (const result of results.slice(0, rollups.length)) addRollups(table, result, groups)
  for (const result of results.slice(rollups.length)) table.addRaw(result.rows)
  return table.cells()
}

async function readSeries(
  tx: Transaction,
  { tenantId, query, plan }: Pick<Reading, 'tenantId' | 'query' | 'plan'>,
): Promise<Map<number, (string | null)[]>> {
  if (plan.series === null) return new Map()
  const { rows } = await tx.query<SeriesRow>(seriesStatement(tenantId, plan.series))
  return matchSeries(rows, plan.series, query)
}

function rollupStatements(
  { tenantId, query, plan }: Reading,
  measure: Measure,
  seriesIds: readonly number[],
): Statement[] {
  return plan.rollup.map(({ level, ranges }) => rollupStatement({ tenantId, query, measure, level, ranges, seriesIds }))
}

function rawStatements({ tenantId, query, plan, catalog, cellsMax }: Reading, measure: Measure): Statement[] {
  const flushed: (bigint | null)[] = []
  for (const { partition, flushedOrdinal } of catalog.partitions) flushed[partition] = flushedOrdinal
  const known = Array.from(flushed, (ordinal) => ordinal ?? null)
  const rows: RawRows = plan.tail.mode === 'left_out' ? { kind: 'flushed', flushed: known } : { kind: 'all' }
  const statements = plan.raw.map((range) => rawStatement({ tenantId, query, measure, range, rows, cellsMax }))
  if (plan.tail.mode !== 'read') return statements
  const tail = plan.tail.ranges.map((range) =>
    rawStatement({ tenantId, query, measure, range, rows: { kind: 'unflushed', flushed: known }, cellsMax }),
  )
  return [...statements, ...tail]
}

function addRollups(table: CellTable, result: Result, groups: Groups): void {
  for (const row of result.rows) {
    const group = groups.get(row.series_id as number)
    if (group !== undefined) table.addRollup(row, group)
  }
}

/** An answer that leaves out what is not yet rolled up is as old as the rollups; every other is of this moment. */
function describeAnswer(
  plan: Plan,
  catalog: Catalog,
  { nowMs, estimate }: { nowMs: number; estimate: CostEstimate | undefined },
): AnswerMeta {
  const isAsOfFlush = plan.tail.mode === 'left_out'
  const marks = catalog.partitions.map(({ watermarkMs, flushedWatermarkMs }) =>
    isAsOfFlush ? (flushedWatermarkMs ?? watermarkMs) : watermarkMs,
  )
  const known = marks.filter((mark) => mark !== null)
  // Of a partition that nobody has read yet nothing is known, and so nothing of the whole.
  const watermarkMs = known.length === 0 || known.length < marks.length ? null : Math.min(...known)
  // Never 0 for an answer that leaves something out, whatever the clocks say: such a one must not be kept for long.
  const ageMs = isAsOfFlush ? Math.max(1, watermarkMs === null ? 0 : nowMs - watermarkMs) : 0
  return {
    source: plan.source,
    ageMs,
    watermarkMs,
    plan: { ...describePlan(plan), ...(estimate !== undefined && { estimate }) },
  }
}
