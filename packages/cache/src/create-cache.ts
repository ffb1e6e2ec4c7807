import { cacheChannel } from '@millrace/contracts'
import { assembleCache } from './assemble-cache.js'
import type { Cache, CacheDeps, CacheOptions } from './cache-types.js'
import { systemClock } from './clock.js'
import { RedisBus } from './redis/redis-bus.js'
import { RedisRemote } from './redis/redis-remote.js'

/**
 * Creates a cache. The caller closes the connection to Redis, after the cache; the cache opens and closes a second connection for messages.
 */
export function createCache(options: CacheOptions, { redis, ...parts }: CacheDeps): Cache {
  if (redis === undefined) return assembleCache(options, parts)
  const clock = parts.clock ?? systemClock
  const timeoutMs = options.remoteTimeoutMs ?? 500
  const bus = new RedisBus(cacheChannel(options.name), redis)
  return assembleCache(options, {
    ...parts,
    openRemote: (namespace) => new RedisRemote({ cache: options.name, namespace, timeoutMs }, { redis, bus, clock }),
    closeRemote: () => bus.close(),
  })
}
