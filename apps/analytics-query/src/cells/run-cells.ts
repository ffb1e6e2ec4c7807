import type { Result, Statement, Transaction } from '@millrace/database'
import type { CostGuard } from '../admission/cost-guard.js'
import type { CostEstimate } from '../admission/estimate-cost.js'
import type { Catalog } from '../plan/catalog.js'
import { describePlan } from '../plan/describe-plan.js'
import type { Plan } from '../plan/plan.js'
import type { PlannerConfig } from '../plan/plan-query.js'
import type { AnswerMeta } from '../query/answer-meta.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { ReadScope } from '../reads/read-scope.js'
import {
  type Ask,
  type CellReading,
  describeWork,
  type Groups,
  rawStatements,
  readCells,
  rollupStatements,
} from './cell-reading.js'
import { Answered, type Asked, type ExpectedReading, expectReading, groupsOf, planCells } from './expected-reading.js'
import { KnownCatalogs } from './known-catalogs.js'
import { type CatalogConfig, catalogStatements, toCatalog } from './read-catalog.js'
import { type SeriesRow, seriesStatement } from './rollup-statements.js'

export interface CellsAnswer {
  readonly cells: Cell[]
  readonly meta: AnswerMeta
}

export type RunCells = (scope: ReadScope, query: CellQuery) => Promise<CellsAnswer>

export interface RunCellsConfig extends PlannerConfig, CatalogConfig {
  /** Most cells of one query; more are refused. */
  readonly cellsMax: number
}

export interface RunCellsDeps {
  readonly now: () => number
}

/**
 * Plans and runs queries over cells. All that one query reads is of one snapshot. What it will read is guessed by the catalog of the last query and asked
 * for together with the catalog; the plan is made of the catalog that comes, and takes from the guess the results of the very statements that it holds.
 * So a query whose guess was right is one round trip, BEGIN and COMMIT included, and a wrong guess costs time alone.
 */
export function createRunCells(config: RunCellsConfig, deps: RunCellsDeps): RunCells {
  const parts: Parts = { config, known: new KnownCatalogs(), ...deps }
  return async function runCells({ tenantId, isShared, guard, read }, query) {
    const asked = { tenantId, query }
    const expected = expectReading(asked, { ...parts, guard })
    if (expected?.isWhole && isShared !== true) {
      const answer = await read((tx) => runIn(tx, asked, { parts, guard, expected, isLast: true }))
      if (answer !== undefined) return answer
    }
    const again = expected?.isWhole === true ? expectReading(asked, { ...parts, guard }) : expected
    const answer = await read((tx) => runIn(tx, asked, { parts, guard, expected: again, isLast: false }))
    if (answer === undefined) throw new Error('a query that may ask again was left without an answer')
    return answer
  }
}

interface Parts extends RunCellsDeps {
  readonly config: RunCellsConfig
  readonly known: KnownCatalogs
}

interface Run {
  readonly parts: Parts
  readonly guard: CostGuard | undefined
  readonly expected: ExpectedReading | undefined
  /** Whether the first round trip ends the transaction. */
  readonly isLast: boolean
}

/** Undefined when the round trip was the last and did not bring all that the plan reads. */
async function runIn(tx: Transaction, asked: Asked, run: Run): Promise<CellsAnswer | undefined> {
  const { tenantId, query } = asked
  const { parts, guard, expected } = run
  const { config, known, now } = parts
  const catalogSteps = catalogStatements(query, config)
  const ahead = [expected?.series ?? [], expected?.cells?.statements ?? []].flat()
  const steps = [...catalogSteps, ...ahead]
  const results = run.isLast ? await tx.finish(steps) : await tx.pipeline(steps)
  const catalog = toCatalog(results.slice(0, catalogSteps.length), config)
  known.noteCatalog(tenantId, query, catalog)
  const ask = createAsk(tx, run, { statements: ahead, results: results.slice(catalogSteps.length) })
  const plan = planCells(query, catalog, config, expected)
  const asExpected = plan === expected?.plan ? expected : undefined
  const groups = await readGroups(asked, plan, { ask, known, asExpected })
  if (groups === undefined) return undefined
  const reading: CellReading = { tenantId, query, plan, catalog, groups, cellsMax: config.cellsMax }
  const estimate = await guard?.admitCells(describeWork(reading))
  const cells = await readCells(reading, statementsOf(reading, asExpected), ask)
  return cells && { cells, meta: describeAnswer(plan, catalog, { nowMs: now(), estimate }) }
}

/** Takes from what was read ahead what was asked there, and the rest from the database. */
function createAsk(
  tx: Transaction,
  { isLast }: Run,
  { statements, results }: { statements: readonly Statement[]; results: readonly Result[] },
): Ask {
  const answered = new Answered()
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
  { tenantId, query }: Asked,
  plan: Plan,
  { ask, known, asExpected }: { ask: Ask; known: KnownCatalogs; asExpected: ExpectedReading | undefined },
): Promise<Groups | undefined> {
  let rows: SeriesRow[] = []
  if (plan.series !== null) {
    const results = await ask([asExpected?.series ?? seriesStatement(tenantId, plan.series)])
    if (results === undefined) return undefined
    rows = (results[0]?.rows ?? []) as unknown as SeriesRow[]
    known.noteSeries(tenantId, plan.series, rows)
  }
  const { cells } = asExpected ?? {}
  return cells !== undefined && areSameSeries(rows, cells.series) ? cells.groups : groupsOf(rows, plan, query)
}

/** Those that were expected, where plan and groups are; so nobody has to find out that they are equal. */
function statementsOf(reading: CellReading, asExpected: ExpectedReading | undefined): Statement[] {
  const { cells, isWhole } = asExpected ?? {}
  if (reading.groups !== cells?.groups) return [...rollupStatements(reading), ...rawStatements(reading)]
  return [...cells.statements, ...(isWhole === true ? [] : rawStatements(reading))]
}

/** An id never changes its meaning. */
function areSameSeries(rows: readonly SeriesRow[], others: readonly SeriesRow[]): boolean {
  return rows.length === others.length && rows.every(({ id }, index) => id === others[index]?.id)
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
