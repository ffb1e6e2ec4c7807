import type { Logger } from '@millrace/logger'
import { createRedisMetrics, type Metrics } from '@millrace/telemetry'
import { requireUsableRedis } from './check-redis.js'
import { openRedis } from './open-redis.js'
import type { RedisConfig } from './redis-config.js'
import type { RedisConnection } from './redis-connection.js'

/** Settings as a service's configuration names them (OPS-7). */
export interface StreamRedisSettings {
  readonly STREAM_REDIS_URL: { reveal(): string }
  readonly REDIS_CLUSTER_ENABLED: boolean
  readonly REDIS_SENTINEL_HOSTS: readonly string[]
  readonly REDIS_MASTER_NAME?: string | undefined
}

/** The used part of a service's lifecycle. */
interface Starter {
  readonly logger: Logger
  readonly metrics: Metrics
  start<T>(name: string, fn: () => Promise<readonly [T, () => Promise<void>]>): Promise<T>
}

/** The connection settings of the stream's Redis. */
export function streamRedisConfig(settings: StreamRedisSettings): Omit<RedisConfig, 'name'> {
  return {
    url: settings.STREAM_REDIS_URL.reveal(),
    sentinelHosts: settings.REDIS_SENTINEL_HOSTS,
    masterName: settings.REDIS_MASTER_NAME,
    clusterEnabled: settings.REDIS_CLUSTER_ENABLED,
  }
}

/**
 * Opens the connections to the stream's Redis and to the Redis for caches, limits and messages, which may be the same. A server that cannot be reached is no
 * error, since it may still be starting: one log line says so, and the connection is tried again.
 * @throws REDIS_CONFIG with the remedy when a server answers that cannot be used: another program, a wrong password, an old version
 */
export async function startRedis(
  settings: StreamRedisSettings & { readonly CACHE_REDIS_URL?: { reveal(): string } | undefined },
  lifecycle: Starter,
): Promise<{ streamRedis: RedisConnection; cacheRedis: RedisConnection }> {
  const { logger } = lifecycle
  const metrics = createRedisMetrics(lifecycle.metrics)
  const open = (name: string, config: Omit<RedisConfig, 'name'>) =>
    lifecycle.start(`${name} connection`, async () => {
      const redis = await openRedis({ ...config, name, isLazy: true }, { logger, metrics })
      return [redis, () => redis.close()] as const
    })
  const url = settings.CACHE_REDIS_URL?.reveal()
  await Promise.all([
    requireUsableRedis(streamRedisConfig(settings), 'STREAM_REDIS_URL', logger),
    url === undefined ? undefined : requireUsableRedis({ url }, 'CACHE_REDIS_URL', logger),
  ])
  const streamRedis = await open('stream-redis', streamRedisConfig(settings))
  return { streamRedis, cacheRedis: url === undefined ? streamRedis : await open('cache-redis', { url }) }
}
