import type { Logger } from '@millrace/logger'
import type { Metrics, Tracer } from '@millrace/telemetry'
import type { PeriodicTask, PeriodicTaskConfig, PeriodicWork } from './periodic-task.js'

/**
 * A part of a service and its stop. The stop finishes the work in progress within `budgetMs`, then releases everything. The budget is half of the
 * time that is left for the whole service, so the parts that stop later always have time too; undefined means no limit from outside.
 */
export type Started<T> = readonly [value: T, stop: (budgetMs?: number) => void | Promise<void>]

/** Resolves when the dependency works; rejects with the reason when it does not. */
export type ReadinessCheck = () => void | Promise<void>

/** What the composition root of a service uses to start its parts, and what all parts need. */
export interface Lifecycle {
  readonly service: string
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracer: Tracer
  /** Aborted when the parts begin to stop, which is SHUTDOWN_DELAY_MS after SIGTERM. */
  readonly stopping: AbortSignal
  /**
   * Starts one part and keeps its stop. Parts stop in reverse order. When a start fails, the parts that had started are stopped and the service
   * ends. Calls may overlap; then the order is that of completion. `name` appears in the log when a part does not stop: a noun phrase in lower
   * case, such as 'http server', 'stream producer' or 'analytics-query client'.
   */
  start<T>(name: string, fn: () => Started<T> | Promise<Started<T>>): Promise<T>
  /**
   * Starts a part that runs `work` at once and then again and again, each time `periodMs` after the end of the run before. Runs never overlap, and
   * the stop waits for the run in progress. The first failure in a row and the recovery are logged with `name`; work must not log them itself.
   */
  every(
    name: string,
    periodMs: number,
    work: PeriodicWork,
    options?: Pick<PeriodicTaskConfig, 'runsAtStart' | 'runsAtEnd'>,
  ): Promise<PeriodicTask>
  /** `/ready` answers 503 while the check rejects. Results are cached for 1 s, and a check that takes longer than 2 s has failed. */
  ready(name: string, check: ReadinessCheck): void
  /** Stops the service with exit code 1: for a part that fails in the background, where no caller would see the error. */
  fail(error: unknown): void
}
