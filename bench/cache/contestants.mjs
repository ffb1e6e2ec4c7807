// The three caches behind one shape: memory before Redis, values shared with a second instance, tags.
import KeyvRedis from '@keyv/redis'
import { createCache } from '@millrace/cache'
import { silentLogger } from '@millrace/logger'
import { openRedis } from '@millrace/redis'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis'
import { Cacheable } from 'cacheable'

const ttlMs = 600_000

async function openMillrace(url) {
  const redis = await openRedis({ name: 'cache', url }, { logger: silentLogger })
  const cache = createCache({ name: 'bench' }, { logger: silentLogger, redis })
  const namespace = cache.namespace('bench', { level: 'warm', ttlMs, remembersPopular: false })
  await namespace.get('waits for the first comparison with redis')
  return {
    peek: (key) => namespace.peek(key)?.value,
    get: async (key, load, tags) => (await namespace.getOrSet(key, load, { tags })).value,
    invalidate: (tag) => namespace.invalidateTags([tag]),
    async close() {
      await cache.close()
      await redis.close()
    },
  }
}

async function openBentocache(url) {
  const { hostname: host, port } = new URL(url)
  const connection = { host, port: Number(port) }
  // Its memory keeps strings and parses them at each hit; with `serialize: false` its deleteByTag fails.
  const store = bentostore()
    .useL1Layer(memoryDriver({ maxItems: 1_000_000 }))
    .useL2Layer(redisDriver({ connection }))
    .useBus(redisBusDriver({ connection }))
  const bento = new BentoCache({ default: 'bench', stores: { bench: store } })
  return {
    get: (key, factory, tags) => bento.getOrSet({ key, factory, ttl: ttlMs, tags }),
    invalidate: (tag) => bento.deleteByTag({ tags: [tag] }),
    close: () => bento.disconnectAll(),
  }
}

async function openCacheable(url, { hasTags = true } = {}) {
  const cache = new Cacheable({ secondary: new KeyvRedis(url), ttl: ttlMs, tags: hasTags })
  return {
    async get(key, load, tags) {
      if (tags === undefined) return await cache.getOrSet(key, load, { ttl: ttlMs })
      // Its getOrSet takes no tags.
      const kept = await cache.get(key)
      if (kept !== undefined) return kept
      const value = await load()
      await cache.set(key, value, { ttl: ttlMs, tags })
      return value
    },
    invalidate: (tag) => cache.tags.invalidateTag(tag),
    close: () => cache.disconnect(),
  }
}

export const contestants = [
  { name: '@millrace/cache', open: openMillrace },
  { name: 'bentocache 1.6.1', open: openBentocache },
  { name: 'cacheable 2.5.0', open: openCacheable },
]
