/** How well one part does its work. `unhealthy`: not at all. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'

/** What one check found; further fields are shown as they are. */
export interface CheckResult {
  readonly status: HealthStatus
  readonly [field: string]: unknown
}

/** A check of one part. It may throw, which is unhealthy, and may take for ever, which it is not given. */
export interface HealthCheck {
  readonly name: string
  run(): Promise<CheckResult>
}
