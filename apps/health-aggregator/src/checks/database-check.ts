import type { Database } from '@millrace/database'
import type { HealthCheck } from './health-check.js'

/** Checks that PostgreSQL answers; reports its latency and the use of this service's connection pool. */
export function createDatabaseCheck(database: Pick<Database, 'ping' | 'pool'>): HealthCheck {
  return {
    name: 'database',
    async run() {
      const latency = await database.ping()
      const { used, waiting, max } = database.pool()
      return {
        status: waiting > 0 ? 'degraded' : 'healthy',
        latency: round(latency),
        pool: { used, available: max - used, max },
      }
    },
  }
}

/** Milliseconds with one decimal. */
export function round(ms: number): number {
  return Math.round(ms * 10) / 10
}
