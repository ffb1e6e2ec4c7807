import { type Database, databaseErrors, type PoolReader, type Transaction } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { type CircuitBreaker, createObservedBreaker } from '@millrace/resilience'
import type { ResilienceMetrics } from '@millrace/telemetry'
import type { FairQueue } from './fair-queue.js'
import type { ReplicaGate } from './replica-gate.js'

export interface ReadOptions {
  /** Removes the read from the queue, or cancels its running statement at the server. */
  readonly signal?: AbortSignal | undefined
  /** The read is dropped if it has not started by then, in ms since 1970. */
  readonly deadlineMs?: number | undefined
  /** The replica is used only if it has reached this watermark. */
  readonly minWatermarkMs?: number | undefined
}

/**
 * Runs `fn` in one repeatable-read, read-only transaction of the tenant. May run it twice: on the replica and then on
 * the primary.
 */
export type Snapshot = <T>(tenantId: number, fn: (tx: Transaction) => Promise<T>, options?: ReadOptions) => Promise<T>

export interface SnapshotDeps {
  readonly database: Pick<Database, 'withTenant' | 'replica'>
  /** The breaker of the primary. Default: none. */
  readonly breaker?: CircuitBreaker | undefined
  /** Default: no queue, all reads run at once. */
  readonly queue?: FairQueue | undefined
  /** Decides between replica and primary. Default: there is no replica. */
  readonly replica?: ReplicaGate | undefined
}

/**
 * Reads wait in the queue for their tenant's turn, then use the replica unless it lags, else the primary. Row level
 * security shows only rows of the tenant. While the breaker is open, reads fail at once.
 * @throws databaseErrors, DEPENDENCY_CIRCUIT_OPEN, and what FairQueue.run throws
 */
export function createSnapshot({ database, breaker, queue, replica }: SnapshotDeps): Snapshot {
  return async (tenantId, fn, options = {}) => {
    const readFrom = (reader: PoolReader | typeof database, check?: (tx: Transaction) => Promise<void>) =>
      reader.withTenant(
        tenantId,
        async (tx) => {
          await check?.(tx)
          return await fn(tx)
        },
        { isolation: 'repeatable read', readOnly: true, signal: options.signal },
      )
    const readPrimary = () => {
      const read = () => readFrom(database)
      return breaker === undefined ? read() : breaker.execute(read)
    }
    const read = async () =>
      replica === undefined
        ? await readPrimary()
        : await replica.read((check) => readFrom(database.replica, check), readPrimary, options.minWatermarkMs)
    return queue === undefined ? await read() : await queue.run(tenantId, read, options)
  }
}

/**
 * The breaker opens when the server cannot be reached; `probe` is a query that tells whether it can be reached again. A
 * statement that is cancelled after QUERY_TIMEOUT_MS does not count as a failure of the server.
 */
export function createDatabaseBreaker(
  deps: { logger: Logger; metrics: ResilienceMetrics },
  probe: () => Promise<unknown>,
  name: 'database' | 'database-replica' = 'database',
): CircuitBreaker {
  return createObservedBreaker(
    { name, probe, isFailure: (error) => databaseErrors.DATABASE_UNAVAILABLE.matches(error) },
    deps,
  )
}
