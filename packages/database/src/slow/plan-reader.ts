import { describePlan } from '../plan/describe-plan.js'
import type { PlanNode } from '../plan/plan-node.js'
import { isExplainable } from '../plan/read-plan.js'
import type { FinishedRun } from '../session.js'
import { isCopy, type Statement, type Step } from '../statement.js'

export interface PlanReaderDeps {
  /** Asks the server for a plan. */
  readonly readPlan: (statement: Statement, setting: readonly Statement[]) => Promise<PlanNode | undefined>
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** Between two plans of whatever statements: plans must not become the load that they are to explain. */
const PAUSE_MS = 1_000
const STATEMENTS_A_RUN_MAX = 5

/** Takes plans of slow round trips: one at a time and one a second at most. Values stay in memory and are not in the answer. */
export class PlanReader {
  readonly #deps: PlanReaderDeps
  #lastAt = Number.NEGATIVE_INFINITY
  #running: Promise<unknown> | undefined
  #isClosed = false

  constructor(deps: PlanReaderDeps) {
    this.#deps = deps
  }

  /** The plan of the dearest statement of the round trip; undefined when none is to be had now. Never rejects. */
  async plan(run: FinishedRun): Promise<string | undefined> {
    const statements = run.steps.filter(isExplainableStep)
    const now = this.#deps.now()
    if (this.#isClosed || this.#running || statements.length === 0 || now - this.#lastAt < PAUSE_MS) return undefined
    this.#lastAt = now
    const running = this.#dearest(statements.slice(0, STATEMENTS_A_RUN_MAX), run.setting).catch(() => undefined)
    this.#running = running
    const plan = await running
    this.#running = undefined
    return plan === undefined ? undefined : describePlan(plan)
  }

  /** Takes no more plans; resolves when the one under way is over. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#running
  }

  async #dearest(statements: readonly Statement[], setting: readonly Statement[]): Promise<PlanNode | undefined> {
    let dearest: PlanNode | undefined
    for (const statement of statements) {
      const plan = await this.#deps.readPlan(statement, setting)
      if (plan !== undefined && plan.cost > (dearest?.cost ?? -1)) dearest = plan
    }
    return dearest
  }
}

function isExplainableStep(step: Step): step is Statement {
  return !isCopy(step) && isExplainable(step.text)
}
