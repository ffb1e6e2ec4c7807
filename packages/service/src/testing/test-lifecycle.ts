import { silentLogger } from '@millrace/logger'
import { createMetrics, noopTracer } from '@millrace/telemetry'
import type { Lifecycle } from '../lifecycle/lifecycle.js'
import { Parts } from '../lifecycle/parts.js'
import { startPeriodicTask } from '../lifecycle/periodic-task.js'

const STOP_TIMEOUT_MS = 60_000

export interface TestLifecycle extends Lifecycle {
  /** Stops the parts in reverse order. @throws when the stop of a part failed. */
  stop(): Promise<void>
}

/** A lifecycle without a process, an admin server or log lines, for tests that run the parts of a service. `fail` throws. */
export function openTestLifecycle(service: string): TestLifecycle {
  const stopping = new AbortController()
  const parts = new Parts(silentLogger)
  return {
    service,
    logger: silentLogger,
    metrics: createMetrics({ service, hasProcessMetrics: false }),
    tracer: noopTracer,
    stopping: stopping.signal,
    start: (name, fn) => parts.start(name, fn),
    every: (name, periodMs, work, options) =>
      parts.start(name, () => startPeriodicTask({ name, periodMs, ...options }, work, { logger: silentLogger })),
    ready: () => undefined,
    fail: (error) => {
      throw error
    },
    async stop() {
      stopping.abort()
      const failed = await parts.stop(STOP_TIMEOUT_MS)
      if (failed.length > 0) throw new Error(`these parts did not stop: ${failed.join(', ')}`)
    },
  }
}
