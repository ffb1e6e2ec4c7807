import type { Database } from '@millrace/database'
import type { Lifecycle } from '@millrace/service'
import { createResilienceMetrics } from '@millrace/telemetry'
import type { Config } from '../config.js'
import { ReplicaGate } from '../execute/replica-gate.js'
import { createDatabaseBreaker, createSnapshot, type Snapshot } from '../execute/snapshot.js'
import { FairQueue } from './fair-queue.js'
import { GuardMetrics } from './guard-metrics.js'

/** The way by which everything is read for tenants: their turn, then the replica or the primary. */
export async function openReads(config: Config, lifecycle: Lifecycle, database: Database): Promise<Snapshot> {
  const { logger, metrics } = lifecycle
  const guardMetrics = new GuardMetrics(metrics)
  const queue = new FairQueue(
    {
      slots: config.DATABASE_CONNECTION_LIMIT,
      slotsOf: () => config.QUERY_CONCURRENCY_PER_TENANT,
      waitingPerTenant: config.QUERY_QUEUE_PER_TENANT,
      waitingMax: config.QUERY_QUEUE_MAX,
    },
    {
      now: () => Date.now(),
      onStart: (waitedMs) => guardMetrics.waited(waitedMs),
      onDrop: (reason) => guardMetrics.dropped(reason),
    },
  )
  guardMetrics.watchQueue(queue)
  const breakerDeps = { logger, metrics: createResilienceMetrics(metrics) }
  const breaker = createDatabaseBreaker(breakerDeps)
  if (config.DATABASE_REPLICA_URL === undefined) return createSnapshot({ database, breaker, queue })
  const replica = new ReplicaGate(
    { stream: config.STREAM_NAME, consumerGroup: config.STREAM_GROUP, lagMaxMs: config.DATABASE_REPLICA_LAG_MAX },
    {
      primary: database,
      breaker: createDatabaseBreaker(breakerDeps, 'database-replica'),
      now: () => performance.now(),
      onRead: (outcome) => guardMetrics.replicaRead(outcome),
    },
  )
  await lifecycle.start('watch on the primary', () => watch(replica, config.DATABASE_REPLICA_LAG_MAX))
  return createSnapshot({ database, breaker, queue, replica })
}

/** Looks four times in the time that the replica may lag. A look that fails is made up for by the next: until then the replica goes on as it is. */
function watch(replica: ReplicaGate, lagMaxMs: number): [ReplicaGate, () => void] {
  const look = () => void replica.watchPrimary().catch(() => undefined)
  look()
  const timer = setInterval(look, Math.max(100, lagMaxMs / 4))
  timer.unref()
  return [replica, () => clearInterval(timer)]
}
