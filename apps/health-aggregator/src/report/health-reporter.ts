import type { CachedCheck } from '../checks/cached-check.js'
import type { CheckResult, HealthStatus } from '../checks/health-check.js'
import type { SystemInfo } from '../checks/system-info.js'
import { buildReport, type HealthLevel } from './health-report.js'

export interface HealthReporterDeps {
  readonly checks: readonly CachedCheck[]
  readonly readSystem: () => Promise<SystemInfo>
  readonly synthetic: () => CheckResult
  readonly noteReport: (status: HealthStatus, services: ReadonlyMap<string, CheckResult>) => void
  readonly now: () => number
  readonly version: string
}

/** Runs all checks in parallel and builds a report from their results. Takes at most the time-out of a check. */
export function createHealthReporter(deps: HealthReporterDeps) {
  const startedAtMs = deps.now()
  return async function reportHealth(
    level: HealthLevel,
  ): Promise<{ status: HealthStatus; body: Record<string, unknown> }> {
    const services = new Map(
      await Promise.all(deps.checks.map(async (check) => [check.name, await check.result()] as const)),
    )
    const report = buildReport(level, {
      nowMs: deps.now(),
      version: deps.version,
      startedAtMs,
      services,
      system: await deps.readSystem(),
      synthetic: deps.synthetic(),
    })
    deps.noteReport(report.status, services)
    return report
  }
}

export type ReportHealth = ReturnType<typeof createHealthReporter>
