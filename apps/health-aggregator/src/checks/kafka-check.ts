import type { StreamCluster } from '@millrace/streams'
import { round } from './database-check.js'
import type { HealthCheck, HealthStatus } from './health-check.js'

/**
 * Reports the brokers of the stream and the state of its topic. Unhealthy when some partitions cannot store events; degraded when a broker is missing,
 * replicas are not in sync, or settings of the topic allow a loss.
 */
export function createKafkaCheck(describe: () => Promise<StreamCluster>): HealthCheck {
  return {
    name: 'kafka',
    async run() {
      const startedAt = performance.now()
      const cluster = await describe()
      const { brokers, controller, missingBrokers, partitions, problems } = cluster
      return {
        status: statusOf(cluster),
        latency: round(performance.now() - startedAt),
        brokers: brokers.map(({ id, host, port }) => ({ id, address: `${host}:${port}` })),
        missing_brokers: missingBrokers,
        controller: controller ?? null,
        topic: {
          partition_count: partitions.total,
          under_replicated: partitions.underReplicated,
          below_min_insync: partitions.belowMinInsync,
          offline: partitions.offline,
          problems,
        },
      }
    },
  }
}

function statusOf({ controller, missingBrokers, partitions, problems }: StreamCluster): HealthStatus {
  if (partitions.offline > 0 || partitions.belowMinInsync > 0) return 'unhealthy'
  const isWhole = controller !== undefined && missingBrokers.length === 0 && partitions.underReplicated === 0
  return isWhole && problems.length === 0 ? 'healthy' : 'degraded'
}
