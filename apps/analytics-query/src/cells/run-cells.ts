import type { Result, Statement, Transaction } from '@millrace/database'
import type { AdmissionControl } from '../admission/admission-control.js'
import type { CostEstimate } from '../admission/estimate-cost.js'
import type { Catalog } from '../plan/catalog.js'
import { describePlan } from '../plan/describe-plan.js'
import type { Plan } from '../plan/plan.js'
import type { PlannerConfig } from '../plan/plan-query.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { ReadScope } from '../reads/read-scope.js'
import { CatalogMemory } from './catalog-memory.js'
import {
  type CellReading,
  type Groups,
  type RunStatements,
  rawStatements,
  readCells,
  rollupStatements,
  toPlannedCells,
} from './cell-reading.js'
import { type CatalogConfig, catalogStatements, toCatalog } from './read-catalog.js'
import { type SeriesRow, seriesStatement } from './rollup-statements.js'
import {
  groupsOf,
  planCells,
  type SpeculativeReading,
  StatementResults,
  speculate,
  type TenantQuery,
} from './speculative-reading.js'

export interface CellsAnswer {
  readonly cells: Cell[]
  readonly meta: AnswerMeta
}

export type RunCells = (scope: ReadScope, query: CellQuery) => Promise<CellsAnswer>

export interface RunCellsConfig extends PlannerConfig, CatalogConfig {
  /** Maximum cells of one query. */
  readonly cellsMax: number
}

export interface RunCellsDeps {
  readonly now: () => number
}

/**
 * Plans and runs queries over cells. Everything that one query reads is from one snapshot.
 *
 * The plain way takes four round trips: BEGIN, catalog, series, cells and COMMIT. To need only one, a query guesses
 * from the catalog that was read last what it will read, and sends these statements together with those of the catalog.
 * It then plans from the catalog that it has just read, and uses the guessed results only for statements that this plan
 * contains. So a wrong guess costs time but never changes an answer.
 */
export function createRunCells(config: RunCellsConfig, deps: RunCellsDeps): RunCells {
  const parts: Parts = { config, known: new CatalogMemory(), ...deps }
  return async function runCells({ tenantId, isShared, admission, read }, query) {
    const asked = { tenantId, query }
    const expected = speculate(asked, { ...parts, admission })
    if (expected?.isWhole && isShared !== true) {
      const answer = await read((tx) => runIn(tx, asked, { parts, admission, expected, isLast: true }))
      if (answer !== undefined) return answer
    }
    const again = expected?.isWhole === true ? speculate(asked, { ...parts, admission }) : expected
    const answer = await read((tx) => runIn(tx, asked, { parts, admission, expected: again, isLast: false }))
    if (answer === undefined) throw new Error('a reading that may use further round trips has returned no cells')
    return answer
  }
}

interface Parts extends RunCellsDeps {
  readonly config: RunCellsConfig
  readonly known: CatalogMemory
}

interface Attempt {
  readonly parts: Parts
  readonly admission: AdmissionControl | undefined
  readonly expected: SpeculativeReading | undefined
  /** Whether COMMIT is sent with the first round trip, so that there is no second one. */
  readonly isLast: boolean
}

/** Undefined when `isLast` and the guess did not contain everything that the plan reads. */
async function runIn(tx: Transaction, asked: TenantQuery, attempt: Attempt): Promise<CellsAnswer | undefined> {
  const { tenantId, query } = asked
  const { parts, admission, expected } = attempt
  const { config, known, now } = parts
  const catalogSteps = catalogStatements(query, config)
  const ahead = [expected?.series ?? [], expected?.cells?.statements ?? []].flat()
  const steps = [...catalogSteps, ...ahead]
  const results = attempt.isLast ? await tx.finish(steps) : await tx.pipeline(steps)
  const catalog = toCatalog(results.slice(0, catalogSteps.length), config)
  known.noteCatalog(tenantId, query, catalog)
  const run = createRun(tx, attempt, { statements: ahead, results: results.slice(catalogSteps.length) })
  const plan = planCells(query, catalog, config, expected)
  const asExpected = plan === expected?.plan ? expected : undefined
  const groups = await readGroups(asked, plan, { run, known, asExpected })
  if (groups === undefined) return undefined
  const reading: CellReading = { tenantId, query, plan, catalog, groups, cellsMax: config.cellsMax }
  const estimate = await admission?.admitCells(toPlannedCells(reading))
  const cells = await readCells(reading, statementsOf(reading, asExpected), run)
  return cells && { cells, meta: describeAnswer(plan, catalog, { nowMs: now(), estimate }) }
}

/** Returns results that were read ahead, and runs the other statements. */
function createRun(
  tx: Transaction,
  { isLast }: Attempt,
  { statements, results }: { statements: readonly Statement[]; results: readonly Result[] },
): RunStatements {
  const answered = new StatementResults()
  answered.add(statements, results)
  return async (wanted) => {
    const missing = wanted.filter((statement) => answered.find(statement) === undefined)
    if (missing.length > 0) {
      if (isLast) return undefined
      answered.add(missing, await tx.pipeline(missing))
    }
    return wanted.map((statement) => answered.find(statement) as Result)
  }
}

async function readGroups(
  { tenantId, query }: TenantQuery,
  plan: Plan,
  { run, known, asExpected }: { run: RunStatements; known: CatalogMemory; asExpected: SpeculativeReading | undefined },
): Promise<Groups | undefined> {
  let rows: SeriesRow[] = []
  if (plan.series !== null) {
    const results = await run([asExpected?.series ?? seriesStatement(tenantId, plan.series)])
    if (results === undefined) return undefined
    rows = (results[0]?.rows ?? []) as unknown as SeriesRow[]
    known.noteSeries(tenantId, plan.series, rows)
  }
  const { cells } = asExpected ?? {}
  return cells !== undefined && areSameSeries(rows, cells.series) ? cells.groups : groupsOf(rows, plan, query)
}

/**
 * Reuses the guessed statements when plan and groups are the guessed ones, so that their results are found by identity.
 */
function statementsOf(reading: CellReading, asExpected: SpeculativeReading | undefined): Statement[] {
  const { cells, isWhole } = asExpected ?? {}
  if (reading.groups !== cells?.groups) return [...rollupStatements(reading), ...rawStatements(reading)]
  return [...cells.statements, ...(isWhole === true ? [] : rawStatements(reading))]
}

/** Equal ids are enough: the series of an id never changes. */
function areSameSeries(rows: readonly SeriesRow[], others: readonly SeriesRow[]): boolean {
  return rows.length === others.length && rows.every(({ id }, index) => id === others[index]?.id)
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
