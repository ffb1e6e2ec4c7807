import { isMillraceError } from '@millrace/contracts'
import { type Logger, silentLogger } from '@millrace/logger'
import type { PostgresMetrics } from '@millrace/telemetry'
import { sanitiseSql } from './sanitise-sql.js'
import { describeStep, type ObserveRun } from './session.js'
import { isCopy, type Step } from './statement.js'

export interface ObserveConfig {
  readonly slowQueryMs: number
}

export interface ObserveDeps {
  readonly logger?: Logger | undefined
  readonly metrics?: PostgresMetrics | undefined
  /** The plan of a slow step, or undefined when none is wanted. */
  readonly explain?: ((step: Step) => Promise<string | undefined>) | undefined
}

/** Times every round trip; slow ones are logged with their sanitised text and, if it is to be had, their plan. */
export function createObserveRuns(config: ObserveConfig, deps: ObserveDeps): ObserveRun {
  const logger = deps.logger ?? silentLogger
  return function observeRun(steps, durationMs, error) {
    const main = mainStep(steps)
    if (!main) return
    const outcome = error === undefined ? 'ok' : 'error'
    deps.metrics?.query.with({ operation: operationOf(main), outcome }).observe(durationMs / 1000)
    if (durationMs <= config.slowQueryMs) return
    deps.metrics?.slowQueries.inc()
    const fields = {
      statements: describeSteps(steps),
      duration_ms: Math.round(durationMs),
      ...(isMillraceError(error) && { code: error.code }),
    }
    const log = (plan?: string) => logger.warn('slow query', plan ? { ...fields, plan } : fields)
    if (!deps.explain || error !== undefined) return log()
    deps.explain(main).then(log, () => log())
  }
}

/** The first ten, without what may be personal data. */
export function describeSteps(steps: readonly Step[]): string[] {
  return steps.slice(0, 10).map((step) => sanitiseSql(describeStep(step)))
}

const CONTROL = /^(begin|commit|rollback|savepoint|release)\b/

/** What a round trip is made for. */
export function mainStep(steps: readonly Step[]): Step | undefined {
  return steps.find((step) => !isControl(step)) ?? steps[0]
}

function isControl(step: Step): boolean {
  return !isCopy(step) && CONTROL.test(step.text)
}

const VERBS = new Set([
  'select',
  'insert',
  'update',
  'delete',
  'with',
  'merge',
  'copy',
  'create',
  'alter',
  'drop',
  'listen',
  'commit',
  'rollback',
])

/** A closed set: the name of a prepared statement, or the verb. */
export function operationOf(step: Step): string {
  if (isCopy(step)) return 'copy'
  if (step.name) return step.name
  const verb = /^\s*([a-z]+)/i.exec(step.text)?.[1]?.toLowerCase() ?? 'other'
  return VERBS.has(verb) ? verb : 'other'
}
