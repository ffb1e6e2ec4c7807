import { type Database, databaseErrors, type Transaction } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { type CircuitBreaker, createCircuitBreaker } from '@millrace/resilience'
import type { ResilienceMetrics } from '@millrace/telemetry'

/** Runs `fn` for a tenant in one read-only transaction whose statements all see the same state of the database. */
export type Snapshot = <T>(tenantId: number, fn: (tx: Transaction) => Promise<T>) => Promise<T>

/**
 * Snapshots of the replica, or of the primary when there is none. Row level security shows the tenant's rows alone. Calls end at once while
 * the breaker is open. @throws databaseErrors, DEPENDENCY_CIRCUIT_OPEN
 */
export function createSnapshot(database: Pick<Database, 'replica'>, breaker?: CircuitBreaker): Snapshot {
  return async (tenantId, fn) => {
    const read = () => database.replica.withTenant(tenantId, fn, { isolation: 'repeatable read', readOnly: true })
    return breaker === undefined ? await read() : await breaker.execute(read)
  }
}

/** Opens when the server cannot be reached. A query that runs into its time limit says nothing about the server and is not counted. */
export function createDatabaseBreaker({
  logger,
  metrics,
}: {
  logger: Logger
  metrics: ResilienceMetrics
}): CircuitBreaker {
  const name = 'database'
  const states = { closed: 0, half_open: 1, open: 2 } as const
  return createCircuitBreaker(
    { name, isFailure: (error) => databaseErrors.DATABASE_UNAVAILABLE.matches(error) },
    {
      onStateChange: ({ from, to, error }) => {
        metrics.circuitState.with({ name }).set(states[to])
        if (to === 'open') metrics.circuitOpened.with({ name }).inc()
        logger[to === 'open' ? 'warn' : 'info']('the circuit breaker changed its state', { name, from, to, error })
      },
    },
  )
}
