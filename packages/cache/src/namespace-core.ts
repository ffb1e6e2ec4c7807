import type { Logger } from '@millrace/logger'
import type { Hit } from './cache-types.js'
import type { Clock } from './clock.js'
import type { Counters } from './counters.js'
import type { Generations } from './generations.js'
import type { MemoryEntry, MemoryTier } from './memory-tier.js'
import type { NamespaceSettings } from './namespace-settings.js'
import type { RemoteSync } from './remote-sync.js'
import type { RemoteTier } from './remote-tier.js'

/** What the parts of one namespace share. */
export interface NamespaceCore<T> {
  readonly name: string
  readonly settings: NamespaceSettings<T>
  readonly leaseMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly counters: Counters
  readonly generations: Generations
  readonly memory: MemoryTier<T>
  readonly shared: { readonly remote: RemoteTier; readonly sync: RemoteSync } | undefined
  /** Work that nobody waits for, but `close` does. It must not reject. */
  background(work: Promise<void>): void
}

export type Held = 'fresh' | 'stale' | 'unconfirmed' | 'over'

/** How far an entry may be believed now. Whether it was invalidated is not asked here: `MemoryTier.find` does not give such a one. */
export function judge<T>(core: NamespaceCore<T>, entry: MemoryEntry<T>, nowMs: number): Held {
  const ageMs = nowMs - entry.bornAtMs
  if (ageMs >= entry.ttlMs + entry.staleMs) return 'over'
  if (core.shared !== undefined && !core.shared.sync.isConfirmed(entry.confirmedAtMs, nowMs)) return 'unconfirmed'
  return ageMs < entry.ttlMs ? 'fresh' : 'stale'
}

export function toHit<T>(entry: MemoryEntry<T>, source: Hit<T>['source'], nowMs: number, isStale = false): Hit<T> {
  return { value: entry.value, source, ageMs: nowMs - entry.bornAtMs, isStale, storedAt: entry.storedAt }
}

/** From when on a read loads the value again in the background: before it expires, or as soon as it has. */
export function refreshMoment(bornAtMs: number, ttlMs: number, refreshAhead: number): number {
  return bornAtMs + ttlMs * (1 - refreshAhead)
}
