/** `degraded` works with limits; `unhealthy` does not work. */
export type HealthStatus = 'healthy' | 'degraded' | 'unhealthy'

/** The result of one check; all further fields appear in the report unchanged. */
export interface CheckResult {
  readonly status: HealthStatus
  readonly [field: string]: unknown
}

/** A check of one part. When it throws, the part is unhealthy. It may hang: CachedCheck limits its time. */
export interface HealthCheck {
  readonly name: string
  run(): Promise<CheckResult>
}
