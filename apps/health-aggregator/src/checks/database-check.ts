import type { Database } from '@millrace/database'
import type { HealthCheck } from './health-check.js'

/** Whether PostgreSQL answers, how fast, and how full this service's pool is. */
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
