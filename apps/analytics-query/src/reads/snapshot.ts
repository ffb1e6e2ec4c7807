import { type Database, databaseErrors, type PoolReader, type Transaction } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { type CircuitBreaker, createObservedBreaker } from '@millrace/resilience'
import type { ResilienceMetrics } from '@millrace/telemetry'
import type { FairQueue } from './fair-queue.js'
import type { ReplicaGate } from './replica-gate.js'

/** What a read may be told besides what it reads. */
export interface ReadOptions {
  /** Takes the read out of the queue, or has the server end the statement that runs. */
  readonly signal?: AbortSignal | undefined
  /** A read whose turn comes later is dropped, in ms since 1970. */
  readonly deadlineMs?: number | undefined
  /** What is read is not older than this, as far as the primary goes. */
  readonly minWatermarkMs?: number | undefined
}

/** Runs `fn` for a tenant in one read-only transaction whose statements all see the same state of the database. May run it twice. */
export type Snapshot = <T>(tenantId: number, fn: (tx: Transaction) => Promise<T>, options?: ReadOptions) => Promise<T>

export interface SnapshotDeps {
  readonly database: Pick<Database, 'withTenant' | 'replica'>
  /** Of the primary. Default: every call goes through. */
  readonly breaker?: CircuitBreaker | undefined
  /** Default: all run at once. */
  readonly queue?: FairQueue | undefined
  /** Decides between replica and primary. Default: there is no replica. */
  readonly replica?: ReplicaGate | undefined
}

/**
 * Snapshots of the replica where it is new enough and there is one, else of the primary. Row level security shows the tenant's rows alone. A read
 * waits for its tenant's turn first. Calls end at once while the breaker is open.
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
 * Opens when the server cannot be reached; `probe` is a query that shows that it can be again. A query that runs into its time limit says nothing about
 * the server and is not counted.
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
