import type { RedisConnection } from '@millrace/redis'
import { round } from './database-check.js'
import type { HealthCheck } from './health-check.js'

/**
 * Checks that Redis answers; reports latency, mode, nodes and memory. Degraded when more than 90 % of its memory is used, unless it evicts keys, as a cache
 * does.
 */
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
      const isEvicting = (memory.maxmemory_policy ?? 'noeviction') !== 'noeviction'
      return {
        status: !isEvicting && maxBytes > 0 && usedBytes > 0.9 * maxBytes ? 'degraded' : 'healthy',
        latency: round(latency),
        mode: redis.mode,
        nodes: redis.nodeCount,
        memory: { used_bytes: usedBytes, max_bytes: maxBytes === 0 ? null : maxBytes },
      }
    },
  }
}
