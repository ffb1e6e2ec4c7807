import { describePlan } from '../plan/describe-plan.js'
import type { PlanNode } from '../plan/plan-node.js'
import { isExplainable } from '../plan/read-plan.js'
import type { FinishedRun } from '../session.js'
import { isCopy, type Statement, type Step } from '../statement.js'

/** How plans of slow statements are read. */
export interface PlanReaderDeps {
  /** Reads a plan from the server. */
  readonly readPlan: (statement: Statement, setting: readonly Statement[]) => Promise<PlanNode | undefined>
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** Minimum time between two plans, so that reading plans does not add to the load that they explain. */
const PAUSE_MS = 1_000
const STATEMENTS_PER_RUN_MAX = 5

/** Reads plans of slow round trips, one at a time and at most one a second. Values stay in memory and are not part of the result. */
export class PlanReader {
  readonly #deps: PlanReaderDeps
  #lastAt = Number.NEGATIVE_INFINITY
  #running: Promise<unknown> | undefined
  #isClosed = false

  constructor(deps: PlanReaderDeps) {
    this.#deps = deps
  }

  /** The plan of the most expensive statement of the round trip; undefined when none can be read now. Never rejects. */
  async plan(run: FinishedRun): Promise<string | undefined> {
    const statements = run.steps.filter(isExplainableStep)
    const now = this.#deps.now()
    if (this.#isClosed || this.#running || statements.length === 0 || now - this.#lastAt < PAUSE_MS) return undefined
    this.#lastAt = now
    const running = this.#mostExpensive(statements.slice(0, STATEMENTS_PER_RUN_MAX), run.setting).catch(() => undefined)
    this.#running = running
    const plan = await running
    this.#running = undefined
    return plan === undefined ? undefined : describePlan(plan)
  }

  /** Reads no more plans; resolves when the current one is finished. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
  }

  async #mostExpensive(statements: readonly Statement[], setting: readonly Statement[]): Promise<PlanNode | undefined> {
    let mostExpensive: PlanNode | undefined
    for (const statement of statements) {
      const plan = await this.#deps.readPlan(statement, setting)
      if (plan !== undefined && plan.cost > (mostExpensive?.cost ?? -1)) mostExpensive = plan
    }
    return mostExpensive
  }
}

function isExplainableStep(step: Step): step is Statement {
  return !isCopy(step) && isExplainable(step.text)
}
