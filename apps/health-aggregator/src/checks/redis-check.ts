import type { RedisConnection } from '@millrace/redis'
import { round } from './database-check.js'
import type { HealthCheck } from './health-check.js'

/** Whether the Redis of the streams answers, how fast, how it is set up and how full it is. */
export function createRedisCheck(
  redis: Pick<RedisConnection, 'mode' | 'nodeCount' | 'check' | 'ping' | 'info'>,
): HealthCheck {
  return {
    name: 'redis',
    async run() {
      await redis.check()
      const [latency, memory] = await Promise.all([redis.ping(), redis.info('memory')])
      const usedBytes = Number(memory.used_memory ?? 0)
      const maxBytes = Number(memory.maxmemory ?? 0)
      return {
        status: maxBytes > 0 && usedBytes > 0.9 * maxBytes ? 'degraded' : 'healthy',
        latency: round(latency),
        mode: redis.mode,
        nodes: redis.nodeCount,
        memory: { used_bytes: usedBytes, max_bytes: maxBytes === 0 ? null : maxBytes },
      }
    },
  }
}
