import { pack } from './codec.js'
import type { HeldLease } from './lease.js'
import { type MemoryEntry, sizeOfEntry } from './memory-tier.js'
import { type NamespaceCore, refreshMoment } from './namespace-core.js'
import { chooseLifetime, type Lifetime } from './namespace-settings.js'

/** A value as its loader returned it. */
export interface LoadedValue<T> {
  readonly key: string
  readonly value: T
  readonly tags: readonly string[]
  /** The sequence of the local generations and the times right before the loader began. */
  readonly begun: { readonly asOf: number; readonly atMs: number; readonly wallMs: number }
  readonly requested: Partial<Lifetime>
  readonly isSkipped: boolean
}

/**
 * Keeps a loaded value: in memory at once, and under a lease also in Redis, in the background. Neither keeps it if its key or a tag was invalidated
 * since the loader began.
 */
export function keepLoaded<T>(
  core: NamespaceCore<T>,
  loaded: LoadedValue<T>,
  lease: HeldLease | undefined,
): MemoryEntry<T> {
  const { key, value, tags, begun } = loaded
  const { settings, counters, generations } = core
  const lifetime = chooseLifetime(settings, value, loaded.requested, core.random)
  const isKeepable = !loaded.isSkipped && value !== undefined && lifetime.ttlMs > 0
  const encoded = isKeepable ? settings.codec.encode(value) : undefined
  const isTooLarge = encoded !== undefined && encoded.length > settings.entryBytesMax
  const entry: MemoryEntry<T> = {
    key,
    value,
    tags,
    asOf: begun.asOf,
    bornAtMs: begun.atMs,
    confirmedAtMs: begun.atMs,
    storedAt: begun.wallMs,
    ...lifetime,
    bytes: sizeOfEntry(encoded?.length ?? 0, key, tags),
    checkedAt: begun.asOf,
    hits: 0,
    hitsRemembered: 0,
    refreshAtMs: refreshMoment(begun.atMs, lifetime.ttlMs, settings.refreshAhead),
  }
  if (encoded === undefined || isTooLarge) {
    counters.loads.unkept.inc()
    lease?.release(true)
  } else if (!generations.isCurrent(key, tags, begun.asOf)) {
    counters.loads.unkept.inc()
    lease?.release(false)
  } else {
    core.memory.keep(entry)
    if (lease !== undefined) core.background(storeRemote(core, entry, encoded, lease))
  }
  return entry
}

async function storeRemote<T>(
  core: NamespaceCore<T>,
  entry: MemoryEntry<T>,
  encoded: Buffer,
  lease: HeldLease,
): Promise<void> {
  if (core.shared === undefined) return
  const { remote, sync } = core.shared
  await core.clock.turn()
  try {
    const packed = await pack(encoded, core.settings.compressBytesMin)
    const { key, tags, ttlMs, staleMs } = entry
    const ageMs = core.clock.monotonicMs() - entry.bornAtMs
    const isStored = await remote.store(key, { tags, ageMs, ttlMs, staleMs, packed }, lease)
    if (isStored) core.counters.redisBytesWritten += packed.bytes.length
  } catch (error) {
    core.counters.redis.error.inc()
    sync.distrust(error)
  } finally {
    lease.stopRenewing()
  }
}
