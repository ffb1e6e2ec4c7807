import type { Logger } from '@millrace/logger'
import { createRedisMetrics, type Metrics } from '@millrace/telemetry'
import { openRedis } from './open-redis.js'
import type { RedisConfig } from './redis-config.js'
import type { RedisConnection } from './redis-connection.js'

/** As a service's configuration names them (OPS-7). */
export interface StreamRedisSettings {
  readonly STREAM_REDIS_URL: { reveal(): string }
  readonly REDIS_CLUSTER_ENABLED: boolean
  readonly REDIS_SENTINEL_HOSTS: readonly string[]
  readonly REDIS_MASTER_NAME?: string | undefined
}

/** The part of a service's lifecycle that is used here. */
interface Starter {
  readonly logger: Logger
  readonly metrics: Metrics
  start<T>(name: string, fn: () => Promise<readonly [T, () => Promise<void>]>): Promise<T>
}

/** Where the Redis of the stream is. */
export function streamRedisConfig(settings: StreamRedisSettings): Omit<RedisConfig, 'name'> {
  return {
    url: settings.STREAM_REDIS_URL.reveal(),
    sentinelHosts: settings.REDIS_SENTINEL_HOSTS,
    masterName: settings.REDIS_MASTER_NAME,
    clusterEnabled: settings.REDIS_CLUSTER_ENABLED,
  }
}

/** Starts the connections to the stream's Redis and to the one for everything else, which may be the same. Neither is waited for. */
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
  const streamRedis = await open('stream-redis', streamRedisConfig(settings))
  const url = settings.CACHE_REDIS_URL?.reveal()
  return { streamRedis, cacheRedis: url === undefined ? streamRedis : await open('cache-redis', { url }) }
}
