import { isDeepStrictEqual } from 'node:util'
import type { Result, Statement, Transaction } from '@millrace/database'
import type { AdmissionControl } from '../admission/admission-control.js'
import type { Catalog } from '../plan/catalog.js'
import type { Plan } from '../plan/plan.js'
import type { ReadScope } from '../reads/read-scope.js'
import { CatalogMemory } from './catalog-memory.js'
import {
  type CellReading,
  type Groups,
  type RunStatements,
  rawStatements,
  rollupStatements,
  toPlannedCells,
} from './cell-reading.js'
import {
  type CellSteps,
  type CellsAnswer,
  createSteps,
  type ReadCellsConfig,
  readCells,
  type TenantQuery,
} from './read-cells.js'
import type { SeriesRow } from './rollup-statements.js'
import { StatementResults } from './statement-results.js'

/** What a query will read if the catalog has not changed since it was last read. */
interface Guess {
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

/** COMMIT was sent with the first round trip, but a statement is missing. */
class FurtherRoundTripNeeded extends Error {}

/**
 * Runs `readCells` in one round trip instead of four (BEGIN, catalog, series, cells and COMMIT). It guesses from the
 * catalog that was read last what the query will read, and sends these statements together with those of the catalog.
 * `readCells` still plans from the catalog that was just read, and a guessed result is used only for a statement that
 * this plan contains. So a wrong guess costs time but never changes an answer.
 */
export class SpeculativeReader {
  readonly #config: ReadCellsConfig
  readonly #now: () => number
  readonly #memory = new CatalogMemory()

  constructor(config: ReadCellsConfig, deps: { readonly now: () => number }) {
    this.#config = config
    this.#now = deps.now
  }

  async read({ admission, isShared, read }: ReadScope, request: TenantQuery): Promise<CellsAnswer> {
    let guess = this.#guess(request, admission)
    if (guess?.isWhole === true && isShared !== true) {
      const ahead = guess
      const answer = await read((tx) => this.#readInOneTrip(tx, request, { guess: ahead, admission }))
      if (answer !== undefined) return answer
      // The attempt has read the current catalog, so this guess is better.
      guess = this.#guess(request, admission)
    }
    return await read((tx) =>
      this.#readWith(createRun(tx, guess, { isOnlyTrip: false }), request, { guess, admission }),
    )
  }

  /** Undefined when the guess did not contain everything that the plan reads. */
  async #readInOneTrip(tx: Transaction, request: TenantQuery, attempt: Attempt): Promise<CellsAnswer | undefined> {
    try {
      return await this.#readWith(createRun(tx, attempt.guess, { isOnlyTrip: true }), request, attempt)
    } catch (error) {
      if (error instanceof FurtherRoundTripNeeded) return undefined
      throw error
    }
  }

  async #readWith(run: RunStatements, request: TenantQuery, { guess, admission }: Attempt): Promise<CellsAnswer> {
    return await readCells(request, this.#config, {
      run,
      steps: this.#steps(request, guess),
      admission,
      now: this.#now,
    })
  }

  /**
   * The plain steps. They remember what was read, and return the objects of the guess where these are right, whose
   * results are found by identity.
   */
  #steps(request: TenantQuery, guess: Guess | undefined): CellSteps {
    const { tenantId, query } = request
    const plain = createSteps(request, this.#config)
    return {
      plan: (catalog) => {
        this.#memory.noteCatalog(tenantId, query, catalog)
        // Planning depends on nothing but the catalog, so equal catalogs have equal plans.
        if (guess !== undefined && isDeepStrictEqual(catalog, guess.catalog)) return guess.plan
        const plan = plain.plan(catalog)
        return guess !== undefined && isDeepStrictEqual(plan, guess.plan) ? guess.plan : plan
      },
      series: (plan) => (plan === guess?.plan ? guess.series : plain.series(plan)),
      groups: (plan, rows) => {
        if (plan.series !== null) this.#memory.noteSeries(tenantId, plan.series, rows)
        const guessed = plan === guess?.plan ? guess.cells : undefined
        return guessed !== undefined && areSameSeries(rows, guessed.series) ? guessed.groups : plain.groups(plan, rows)
      },
      cells: (reading) => {
        if (reading.groups !== guess?.cells?.groups) return plain.cells(reading)
        return [...guess.cells.statements, ...(guess.isWhole ? [] : rawStatements(reading))]
      },
    }
  }

  /**
   * Undefined when no catalog is known. A guess reads as much as the query, so a query that admission control would
   * reject is not read ahead. Raw rows of a query that is answered partly from rollups are not read ahead either, since
   * which ones they are depends on the current catalog.
   */
  #guess(request: TenantQuery, admission: AdmissionControl | undefined): Guess | undefined {
    const { tenantId, query } = request
    const catalog = this.#memory.catalogFor(tenantId, query)
    if (catalog === undefined) return undefined
    const steps = createSteps(request, this.#config)
    const plan = steps.plan(catalog)
    const withoutCells = { catalog, plan, series: steps.series(plan), isWhole: false }
    const series = plan.series === null ? [] : this.#memory.seriesOf(tenantId, plan.series)
    if (series === undefined) return withoutCells
    const groups = steps.groups(plan, series)
    const reading: CellReading = { tenantId, query, catalog, groups, plan, cellsMax: this.#config.cellsMax }
    if (admission?.wouldAdmitCells(toPlannedCells(reading)) === false) return withoutCells
    const isRaw = plan.source === 'raw'
    const statements = isRaw ? rawStatements(reading) : rollupStatements(reading)
    const isWhole = isRaw || (plan.raw.length === 0 && plan.unflushed.mode === 'none')
    return { ...withoutCells, cells: { series, groups, statements }, isWhole }
  }
}

interface Attempt {
  readonly guess: Guess | undefined
  readonly admission: AdmissionControl | undefined
}

/**
 * Sends the statements of the guess together with the first ones that are run, and later returns their results without
 * a further round trip.
 * @throws FurtherRoundTripNeeded when `isOnlyTrip` and a later statement is not among them
 */
function createRun(
  tx: Transaction,
  guess: Guess | undefined,
  { isOnlyTrip }: { readonly isOnlyTrip: boolean },
): RunStatements {
  const results = new StatementResults()
  let ahead: readonly Statement[] | undefined = [guess?.series ?? [], guess?.cells?.statements ?? []].flat()
  return async (wanted) => {
    const missing = wanted.filter((statement) => results.find(statement) === undefined)
    if (missing.length > 0) {
      if (ahead === undefined && isOnlyTrip) throw new FurtherRoundTripNeeded()
      const sent = [...missing, ...(ahead ?? [])]
      ahead = undefined
      results.add(sent, isOnlyTrip ? await tx.finish(sent) : await tx.pipeline(sent))
    }
    return wanted.map((statement) => results.find(statement) as Result)
  }
}

/** Equal ids are enough: the series of an id never changes. */
function areSameSeries(rows: readonly SeriesRow[], others: readonly SeriesRow[]): boolean {
  return rows.length === others.length && rows.every(({ id }, index) => id === others[index]?.id)
}
