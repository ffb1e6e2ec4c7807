import type { PostgresMetrics } from '@millrace/telemetry'
import { mainStep, operationOf } from './describe-steps.js'
import type { ObserveRun } from './session.js'
import type { SlowQueryLog } from './slow/slow-query-log.js'

/** From which duration on a statement is slow. */
export interface ObserveConfig {
  readonly slowQueryMs: number
}

/** Where runs of statements are reported. */
export interface ObserveDeps {
  readonly slowQueryLog?: SlowQueryLog | undefined
  readonly metrics?: PostgresMetrics | undefined
}

/** Measures each round trip; slow ones are counted and passed to the slow query log. */
export function createObserveRuns(config: ObserveConfig, deps: ObserveDeps): ObserveRun {
  const { metrics, slowQueryLog } = deps
  return function observeRun(run) {
    const main = mainStep(run.steps)
    if (!main) return
    const outcome = run.error === undefined ? 'ok' : 'error'
    metrics?.query.with({ operation: operationOf(main), outcome }).observe(run.durationMs / 1000)
    if (run.durationMs <= config.slowQueryMs) return
    metrics?.slowQueries.inc()
    slowQueryLog?.note(run)
  }
}
