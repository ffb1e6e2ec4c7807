import { silentLogger } from '@millrace/logger'
import { openRedis, type RedisConfig, type RedisConnection } from '@millrace/redis'
import { createTestRedis } from '@millrace/testing'
import type { Cache, CacheOptions, Namespace, NamespaceOptions } from '../../src/cache-types.js'
import { createCache } from '../../src/create-cache.js'

export interface Instance {
  readonly cache: Cache
  readonly redis: RedisConnection
  readonly namespace: Namespace<string | null>
  close(): Promise<void>
}

export interface InstanceOptions {
  readonly redis: Omit<RedisConfig, 'name'>
  readonly cache?: Partial<CacheOptions>
  readonly namespace?: Partial<NamespaceOptions<string | null>>
}

/** One of several caches on one Redis, as if in a process of its own. Time limits are long, so that a busy machine does not fail the tests. */
export async function openInstance(options: InstanceOptions): Promise<Instance> {
  const redis = await openRedis({ name: 'cache', commandTimeoutMs: 60_000, ...options.redis }, { logger: silentLogger })
  const cache = createCache(
    { name: 'test', remoteTimeoutMs: 60_000, leaseMs: 600_000, lagMsMax: 600_000, syncEveryMs: 50, ...options.cache },
    { logger: silentLogger, redis },
  )
  const namespace = cache.namespace<string | null>('test', { level: 'hot', ...options.namespace })
  return {
    cache,
    redis,
    namespace,
    async close() {
      await cache.close()
      await redis.close()
    },
  }
}

/** Runs `work` with two caches, on a Redis of their own unless one is given, and closes them afterwards. */
export async function withTwo(
  options: Partial<InstanceOptions>,
  work: (a: Instance, b: Instance) => Promise<void>,
): Promise<void> {
  const own = options.redis === undefined ? await createTestRedis() : undefined
  const redis = options.redis ?? { url: own?.url ?? '' }
  const a = await openInstance({ ...options, redis })
  const b = await openInstance({ ...options, redis })
  try {
    await work(a, b)
  } finally {
    await a.close()
    await b.close()
    await own?.release()
  }
}
