import { MINUTE_MS } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import type { CircuitBreaker } from '@millrace/resilience'
import type { Lifecycle } from '@millrace/service'
import { createResilienceMetrics } from '@millrace/telemetry'
import { AdmissionControl } from '../admission/admission-control.js'
import { readStatistics } from '../admission/read-statistics.js'
import { readTenantLimits } from '../admission/tenant-limits.js'
import type { Config } from '../config.js'
import { FairQueue } from './fair-queue.js'
import { ReadMetrics } from './read-metrics.js'
import { RefreshedValue } from './refreshed-value.js'
import { ReplicaGate, type ReplicaOutcome } from './replica-gate.js'
import { createDatabaseBreaker, createSnapshot, type Snapshot } from './snapshot.js'

export interface Reads {
  /** Every read for a tenant goes through it: first the queue, then the replica or the primary. */
  readonly snapshot: Snapshot
  /** Rejects queries that are too expensive. */
  readonly admission: AdmissionControl
  /** Whether queries wait in the queue; background work should pause then. */
  readonly isBusy: () => boolean
}

/**
 * Statistics change slowly and budgets are wide, so one minute old is fresh; ten minutes old will do while they cannot
 * be read.
 */
const STATISTICS = { freshMs: MINUTE_MS, usableMs: 600_000 }

export async function openReads(config: Config, lifecycle: Lifecycle, database: Database): Promise<Reads> {
  const { logger, metrics } = lifecycle
  const readMetrics = new ReadMetrics(metrics)
  const breakerDeps = { logger, metrics: createResilienceMetrics(metrics) }
  const breaker = createDatabaseBreaker(breakerDeps, () => database.ping())
  const load = async () => ({ statistics: await readStatistics(database), limits: await readTenantLimits(database) })
  const known = new RefreshedValue(
    STATISTICS,
    () => breaker.execute(load),
    () => performance.now(),
  )
  const limitsOf = (tenantId: number) => known.last?.limits.get(tenantId)
  const queue = openQueue(config, readMetrics, (tenantId) => limitsOf(tenantId)?.concurrency)
  const replica = await openReplica(config, lifecycle, {
    database,
    breaker: () => createDatabaseBreaker(breakerDeps, () => database.replica.query('select 1'), 'database-replica'),
    onRead: (outcome) => readMetrics.replicaRead(outcome),
  })
  const snapshot = createSnapshot({ database, breaker, queue, replica })
  return {
    // Before a connection is taken, since reading the statistics needs a connection as well.
    snapshot: async (tenantId, fn, options) => {
      await known.get().catch(() => undefined)
      return await snapshot(tenantId, fn, options)
    },
    admission: new AdmissionControl({
      statistics: () => known.last?.statistics,
      budgetOf: (tenantId) => ({
        rows: limitsOf(tenantId)?.rows ?? config.QUERY_BUDGET_ROWS,
        partitions: limitsOf(tenantId)?.partitions ?? config.QUERY_BUDGET_PARTITIONS,
        bytes: limitsOf(tenantId)?.bytes ?? config.QUERY_BUDGET_BYTES,
      }),
      now: () => Date.now(),
      onRefuse: () => readMetrics.refused(),
    }),
    isBusy: () => queue.waiting > 0,
  }
}

function openQueue(
  config: Config,
  metrics: ReadMetrics,
  concurrencyOf: (tenantId: number) => number | undefined,
): FairQueue {
  const queue = new FairQueue(
    {
      slots: config.DATABASE_CONNECTION_LIMIT,
      slotsOf: (tenantId) => concurrencyOf(tenantId) ?? config.QUERY_CONCURRENCY_PER_TENANT,
      waitingPerTenant: config.QUERY_QUEUE_PER_TENANT,
      waitingMax: config.QUERY_QUEUE_MAX,
    },
    {
      now: () => Date.now(),
      onStart: (waitedMs) => metrics.waited(waitedMs),
      onDrop: (reason) => metrics.dropped(reason),
    },
  )
  metrics.watchQueue(queue)
  return queue
}

interface ReplicaParts {
  readonly database: Database
  readonly breaker: () => CircuitBreaker
  readonly onRead: (outcome: ReplicaOutcome) => void
}

async function openReplica(
  config: Config,
  lifecycle: Lifecycle,
  { database, breaker, onRead }: ReplicaParts,
): Promise<ReplicaGate | undefined> {
  if (config.DATABASE_REPLICA_URL === undefined) return undefined
  const lagMaxMs = config.DATABASE_REPLICA_LAG_MAX
  const gate = new ReplicaGate(
    { stream: config.STREAM_NAME, consumerGroup: config.STREAM_GROUP, lagMaxMs },
    { primary: database, breaker: breaker(), now: () => performance.now(), onRead },
  )
  // Four times in the time by which the replica may lag. After a failure the replica is used as before until the next
  // run.
  await lifecycle.every('replica lag', Math.max(100, lagMaxMs / 4), () => gate.watchPrimary())
  return gate
}
