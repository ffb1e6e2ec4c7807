export { cacheErrors } from './cache-errors.js'
export { type CacheMetrics, createCacheMetrics } from './cache-metrics.js'
export type {
  Cache,
  CacheDeps,
  CacheOptions,
  Hit,
  Invalidation,
  Load,
  LoadContext,
  Namespace,
  NamespaceOptions,
  ReadOptions,
  WarmEntry,
} from './cache-types.js'
export { type Clock, systemClock } from './clock.js'
export { type Codec, jsonCodec } from './codec.js'
export { createCache } from './create-cache.js'
export { type CacheLevel, cacheLevels, ttlPresets } from './levels.js'
export type { CacheStats } from './tier-stats.js'
