import type { Logger } from '@millrace/logger'
import { createRedisMetrics, type Metrics } from '@millrace/telemetry'
import { requireUsableRedis } from './check-redis.js'
import { openRedis } from './open-redis.js'
import type { RedisConfig } from './redis-config.js'
import type { RedisConnection } from './redis-connection.js'
import { redisErrors } from './redis-errors.js'

/** Settings as a service's configuration names them (OPS-7). */
export interface StreamRedisSettings {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  /** Required with STREAM_DRIVER redis. */
  readonly STREAM_REDIS_URL?: { reveal(): string } | undefined
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

type Config = Omit<RedisConfig, 'name'>

/** The connection settings of the Redis of STREAM_REDIS_URL. Undefined when that is not set. */
function streamRedisConfig(settings: StreamRedisSettings): Config | undefined {
  if (settings.STREAM_REDIS_URL === undefined) return undefined
  return {
    url: settings.STREAM_REDIS_URL.reveal(),
    sentinelHosts: settings.REDIS_SENTINEL_HOSTS,
    masterName: settings.REDIS_MASTER_NAME,
    clusterEnabled: settings.REDIS_CLUSTER_ENABLED,
  }
}

/** A Redis server and the setting that names it. */
export interface NamedRedis {
  readonly setting: 'STREAM_REDIS_URL' | 'CACHE_REDIS_URL'
  readonly config: Config
}

/** The servers that the settings name. `stream` is undefined when the stream is on Kafka; the cache is on the server of the stream unless it has its own. */
export function namedRedis(settings: StreamRedisSettings & CacheRedisSettings): {
  stream: NamedRedis | undefined
  cache: NamedRedis | undefined
} {
  const config = streamRedisConfig(settings)
  const general: NamedRedis | undefined = config && { setting: 'STREAM_REDIS_URL', config }
  const url = settings.CACHE_REDIS_URL?.reveal()
  return {
    stream: settings.STREAM_DRIVER === 'redis' ? general : undefined,
    cache: url === undefined ? general : { setting: 'CACHE_REDIS_URL', config: { url } },
  }
}

interface CacheRedisSettings {
  readonly CACHE_REDIS_URL?: { reveal(): string } | undefined
}

/**
 * Opens the connections to the stream's Redis and to the Redis for caches, limits and messages, which may be the same. With STREAM_DRIVER kafka there is no
 * connection for the stream. A server that cannot be reached is no error, since it may still be starting: one log line says so, and the connection is tried
 * again.
 * @throws REDIS_CONFIG with the remedy when a server answers that cannot be used: another program, a wrong password, an old version; or when no setting names
 * a server
 */
export async function startRedis(
  settings: StreamRedisSettings & CacheRedisSettings,
  lifecycle: Starter,
): Promise<{ streamRedis: RedisConnection | undefined; cacheRedis: RedisConnection }> {
  const { logger } = lifecycle
  const metrics = createRedisMetrics(lifecycle.metrics)
  const open = (name: string, { config }: NamedRedis) =>
    lifecycle.start(`${name} connection`, async () => {
      const redis = await openRedis({ ...config, name, isLazy: true }, { logger, metrics })
      return [redis, () => redis.close()] as const
    })
  const { stream, cache } = namedRedis(settings)
  if (cache === undefined)
    throw redisErrors.REDIS_CONFIG({ message: 'no Redis is named: set CACHE_REDIS_URL or STREAM_REDIS_URL' })
  const servers = stream === undefined || stream === cache ? [cache] : [stream, cache]
  await Promise.all(servers.map(({ config, setting }) => requireUsableRedis(config, setting, logger)))
  const streamRedis = stream && (await open('stream-redis', stream))
  const isSame = streamRedis !== undefined && stream === cache
  return { streamRedis, cacheRedis: isSame ? streamRedis : await open('cache-redis', cache) }
}
