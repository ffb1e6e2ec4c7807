import type { Logger } from '@millrace/logger'
import type { Hit } from './cache-types.js'
import type { Clock } from './clock.js'
import type { Counters } from './counters.js'
import type { Generations } from './generations.js'
import type { MemoryEntry, MemoryTier } from './memory-tier.js'
import type { NamespaceSettings } from './namespace-settings.js'
import type { RemoteSync } from './remote-sync.js'
import type { RemoteTier } from './remote-tier.js'

/** Shared by the parts of one namespace. */
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
  /** Runs work that only `close` waits for. It must not reject. */
  background(work: Promise<void>): void
}

/** Whether and how an entry may be used. */
export type Freshness = 'fresh' | 'stale' | 'unconfirmed' | 'expired'

/** Whether an entry may be used now. `MemoryTier.find` has already excluded invalidated entries. */
export function freshnessOf<T>(core: NamespaceCore<T>, entry: MemoryEntry<T>, nowMs: number): Freshness {
  const ageMs = nowMs - entry.bornAtMs
  if (ageMs >= entry.ttlMs + entry.staleMs) return 'expired'
  if (core.shared !== undefined && !core.shared.sync.isConfirmed(entry.confirmedAtMs, nowMs)) return 'unconfirmed'
  return ageMs < entry.ttlMs ? 'fresh' : 'stale'
}

/** An entry as the caller gets it. */
export function toHit<T>(entry: MemoryEntry<T>, source: Hit<T>['source'], nowMs: number, isStale = false): Hit<T> {
  return { value: entry.value, source, ageMs: nowMs - entry.bornAtMs, isStale, storedAt: entry.storedAt }
}

/** The time from which a read refreshes the value in the background. */
export function refreshMoment(bornAtMs: number, ttlMs: number, refreshAhead: number): number {
  return bornAtMs + ttlMs * (1 - refreshAhead)
}
