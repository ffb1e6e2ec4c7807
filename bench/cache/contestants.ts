// The three caches behind one interface: memory before Redis, values shared with a second instance, tags.
import KeyvRedis from '@keyv/redis'
import { createCache } from '@millrace/cache'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Cacheable } from 'cacheable'

const ttlMs = 600_000

export interface CacheUnderTest {
  /** The cached value of `key`, else that of `load`, which is then cached under the tags. */
  get<T>(key: string, load: () => T | Promise<T>, tags?: readonly string[]): Promise<T>
  /** Reads memory synchronously, where the cache can. */
  peek?(key: string): unknown
  invalidate(tag: string): Promise<unknown>
  close(): Promise<unknown>
}

export interface OpenOptions {
  /** Whether values have tags. Default true. */
  readonly hasTags?: boolean
}

/** Opens another instance of one cache on the same Redis. */
export type OpenCache = (options?: OpenOptions) => Promise<CacheUnderTest>

async function openMillrace(url: string): Promise<CacheUnderTest> {
  const redis = await openRedis({ name: 'cache', url }, { logger: silentLogger })
  const cache = createCache({ name: 'bench' }, { logger: silentLogger, redis })
  const namespace = cache.namespace<unknown>('bench', { level: 'warm', ttlMs, remembersPopular: false })
  await namespace.get('waits for the first comparison with redis')
  return {
    peek: (key) => namespace.peek(key)?.value,
    get: async <T>(key: string, load: () => T | Promise<T>, tags?: readonly string[]) =>
      (await namespace.getOrSet(key, load, tags === undefined ? {} : { tags })).value as T,
    invalidate: (tag) => namespace.invalidateTags([tag]),
    async close() {
      await cache.close()
      await redis.close()
    },
  }
}

async function openBentocache(url: string): Promise<CacheUnderTest> {
  const { hostname: host, port } = new URL(url)
  const connection = { host, port: Number(port) }
  // Its memory keeps strings and parses them at each hit; with `serialize: false` its deleteByTag fails.
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 1_000_000 }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }))
  const bento = new BentoCache({ default: 'bench', stores: { bench: store } })
  return {
    get: <T>(key: string, factory: () => T | Promise<T>, tags?: readonly string[]) =>
      bento.getOrSet<T>({ key, factory, ttl: ttlMs, ...(tags !== undefined && { tags: [...tags] }) }),
    invalidate: (tag) => bento.deleteByTag({ tags: [tag] }),
    close: () => bento.disconnectAll(),
  }
}

async function openCacheable(url: string, { hasTags = true }: OpenOptions = {}): Promise<CacheUnderTest> {
  const cache = new Cacheable({ secondary: new KeyvRedis(url), ttl: ttlMs, tags: hasTags })
  return {
    async get<T>(key: string, load: () => T | Promise<T>, tags?: readonly string[]) {
      if (tags === undefined) return (await cache.getOrSet<T>(key, async () => await load(), { ttl: ttlMs })) as T
      // Its getOrSet takes no tags.
      const kept = await cache.get<T>(key)
      if (kept !== undefined) return kept
      const value = await load()
      await cache.set(key, value, { ttl: ttlMs, tags: [...tags] })
      return value
    },
    invalidate: (tag) => cache.tags.invalidateTag(tag),
    close: () => cache.disconnect(),
  }
}

export interface Contestant {
  readonly name: string
  open(url: string, options?: OpenOptions): Promise<CacheUnderTest>
}

export const ours: Contestant = { name: '@millrace/cache', open: openMillrace }

export const contestants: readonly Contestant[] = [
  ours,
  { name: 'bentocache 1.6.1', open: openBentocache },
  { name: 'cacheable 2.5.0', open: openCacheable },
]
