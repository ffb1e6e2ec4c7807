import { isMillraceError, MINUTE_MS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import { describeSteps } from '../describe-steps.js'
import type { FinishedRun } from '../session.js'

/** Where slow statements are logged and how their plans are read. */
export interface SlowQueryLogDeps {
  readonly logger: Logger
  /** Reads the plan for a line. Default: lines have no plan. */
  readonly plan?: ((run: FinishedRun) => Promise<string | undefined>) | undefined
  /** Monotonic, in ms. */
  readonly now: () => number
}

/** Minimum time between two lines of one statement: under load every statement is slow, and logging must not add to it. */
const LINE_INTERVAL_MS = MINUTE_MS
/** Minimum time between two plans of one statement. */
const PLAN_INTERVAL_MS = 600_000
/** Bounds memory: the statement whose line is oldest is forgotten first. */
const STATEMENTS_MAX = 500

interface Written {
  readonly lineAt: number
  planAt: number
  suppressed: number
  suppressedMaxMs: number
}

/**
 * Logs slow round trips: statements without values, duration, rows, and the plan if one could be read; tenant and trace ids come from the log context. The
 * first slow run of a statement is logged at once; runs in the following minute are counted, and the next line carries their number.
 */
export class SlowQueryLog {
  readonly #deps: SlowQueryLogDeps
  readonly #written = new Map<string, Written>()

  constructor(deps: SlowQueryLogDeps) {
    this.#deps = deps
  }

  note(run: FinishedRun): void {
    const now = this.#deps.now()
    const statements = describeSteps(run.steps)
    const key = normalise(statements)
    const before = this.#written.get(key)
    if (before !== undefined && now - before.lineAt < LINE_INTERVAL_MS) {
      before.suppressed++
      before.suppressedMaxMs = Math.max(before.suppressedMaxMs, run.durationMs)
      return
    }
    const written = {
      lineAt: now,
      planAt: before?.planAt ?? Number.NEGATIVE_INFINITY,
      suppressed: 0,
      suppressedMaxMs: 0,
    }
    this.#remember(key, written)
    const fields = {
      statements,
      duration_ms: Math.round(run.durationMs),
      rows: run.rows,
      ...(isMillraceError(run.error) && { code: run.error.code }),
      ...(before !== undefined &&
        before.suppressed > 0 && {
          suppressed: before.suppressed,
          suppressed_max_ms: Math.round(before.suppressedMaxMs),
        }),
    }
    void this.#write(run, written, fields)
  }

  async #write(run: FinishedRun, written: Written, fields: Readonly<Record<string, unknown>>): Promise<void> {
    const { logger, plan: readPlan, now } = this.#deps
    let plan: string | undefined
    if (readPlan !== undefined && now() - written.planAt >= PLAN_INTERVAL_MS) {
      plan = await readPlan(run)
      if (plan !== undefined) written.planAt = now()
    }
    logger.warn('slow query', plan === undefined ? fields : { ...fields, plan })
  }

  #remember(key: string, written: Written): void {
    this.#written.delete(key)
    this.#written.set(key, written)
    if (this.#written.size <= STATEMENTS_MAX) return
    for (const oldest of this.#written.keys()) {
      this.#written.delete(oldest)
      break
    }
  }
}

/** Statements that differ only in the number of parameters get the same key. */
function normalise(statements: readonly string[]): string {
  return statements
    .join('; ')
    .replace(/\$\d+/g, '$')
    .replace(/\$(?:, ?\$)+/g, '$')
}
