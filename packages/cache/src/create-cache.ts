import { assembleCache } from './assemble-cache.js'
import type { Cache, CacheDeps, CacheOptions } from './cache-types.js'

/** A cache with the namespaces that are opened on it. It connects to nothing itself: the connection is handed in and stays its owner's. */
export function createCache(options: CacheOptions, deps: CacheDeps): Cache {
  return assembleCache(options, deps)
}
