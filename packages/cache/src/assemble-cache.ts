import { cacheErrors } from './cache-errors.js'
import { CacheNamespace } from './cache-namespace.js'
import type { Cache, CacheDeps, CacheOptions, Namespace, NamespaceOptions } from './cache-types.js'
import { type Clock, systemClock, withLimit } from './clock.js'
import { Counters } from './counters.js'
import { createGenerations, type Generations } from './generations.js'
import { type MemoryBudget, MemoryTier } from './memory-tier.js'
import type { NamespaceCore } from './namespace-core.js'
import { toSettings } from './namespace-settings.js'
import { rememberPopular } from './remember-popular.js'
import { RemoteSync } from './remote-sync.js'
import type { RemoteTier } from './remote-tier.js'
import type { CacheStats } from './tier-stats.js'

const closeLimitMs = 2_000
const nameShape = /^[\w.-]{1,64}$/

/** The dependencies of a cache, with the parts that tests replace: a model of Redis and other generations. */
export interface CacheParts extends Omit<CacheDeps, 'redis'> {
  readonly openRemote?: ((namespace: string) => RemoteTier) | undefined
  readonly closeRemote?: () => Promise<void>
  readonly createGenerations?: () => Generations
}

/** Puts a cache together from its parts. `createCache` opens the parts; tests hand in their own. */
export function assembleCache(options: CacheOptions, parts: CacheParts): Cache {
  if (!nameShape.test(options.name))
    throw cacheErrors.CACHE_OPTIONS({ message: `the cache name ${options.name} is not valid` })
  const lagMsMax = options.lagMsMax ?? 2_000
  const clock = parts.clock ?? systemClock
  const budget: MemoryBudget = { bytesMax: options.memoryBytesMax ?? 128 * 2 ** 20, tiers: new Set() }
  const namespaces = new Map<string, { stats(): CacheStats }>()
  const closers: (() => void)[] = []
  const underWay = new Set<Promise<void>>()
  let closing: Promise<void> | undefined

  const background = (work: Promise<void>) => {
    const noted = work.finally(() => underWay.delete(noted))
    underWay.add(noted)
  }
  const openNamespace = <T>(name: string, namespaceOptions: NamespaceOptions<T>): Namespace<T> => {
    if (closing !== undefined) throw cacheErrors.CACHE_CLOSED()
    if (!nameShape.test(name)) throw cacheErrors.CACHE_OPTIONS({ message: `the namespace name ${name} is not valid` })
    if (namespaces.has(name)) throw cacheErrors.CACHE_OPTIONS({ message: `the namespace ${name} is open already` })
    const settings = toSettings(namespaceOptions)
    const counters = new Counters(name, parts.metrics)
    const generations = parts.createGenerations?.() ?? createGenerations()
    const memory = new MemoryTier<T>(settings.memoryBytesMax, {
      generations,
      budget,
      evicted: () => counters.evictions.inc(),
    })
    const remote = parts.openRemote?.(name)
    const syncOptions = { namespace: name, lagMsMax, syncEveryMs: options.syncEveryMs ?? lagMsMax / 3 }
    const sync = remote && new RemoteSync(syncOptions, { remote, generations, clock, logger: parts.logger })
    const core: NamespaceCore<T> = {
      name,
      settings,
      leaseMs: options.leaseMs ?? 3_000,
      clock,
      random: parts.random ?? Math.random,
      logger: parts.logger,
      counters,
      generations,
      memory,
      shared: remote && sync && { remote, sync },
      background,
    }
    if (remote !== undefined && settings.remembersPopular) closers.push(rememberPopular(core, remote))
    closers.push(() => {
      sync?.close()
      memory.clear()
      budget.tiers.delete(memory)
      parts.metrics?.watched.delete(name)
    })
    const namespace = new CacheNamespace(core)
    namespaces.set(name, namespace)
    parts.metrics?.watched.set(name, () => namespace.stats())
    return namespace
  }
  return {
    namespace: openNamespace,
    stats: () => Object.fromEntries([...namespaces].map(([name, namespace]) => [name, namespace.stats()])),
    close() {
      closing ??= closeAll(clock, { closers, underWay, closeRemote: parts.closeRemote })
      return closing
    },
  }
}

async function closeAll(
  clock: Clock,
  held: {
    readonly closers: readonly (() => void)[]
    readonly underWay: ReadonlySet<Promise<void>>
    readonly closeRemote: (() => Promise<void>) | undefined
  },
): Promise<void> {
  for (const close of held.closers) close()
  await withLimit(clock, closeLimitMs, Promise.all(held.underWay), () => undefined)
  await held.closeRemote?.()
}
