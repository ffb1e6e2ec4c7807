import type { Packed } from './codec.js'
import type { Names } from './generations.js'

/**
 * A point in the order of invalidations of one namespace. Numbers of different epochs say nothing about each other: a new epoch begins whenever
 * the store may have forgotten an invalidation, and what was kept in an older one is void.
 */
export interface Mark {
  readonly epoch: string
  readonly sequence: number
}

export interface RemoteEntry {
  readonly tags: readonly string[]
  /** Since the loader began, in ms. */
  readonly ageMs: number
  readonly ttlMs: number
  readonly staleMs: number
  readonly packed: Packed
}

/** Whether the asker may load the key: `open` means load, but nothing will be kept; `busy` that somebody else is loading. */
export type Lease = 'leased' | 'busy' | 'open' | 'unasked'

export interface Fetched {
  /** As of the moment the store looked. */
  readonly mark: Mark
  readonly quality: 'fresh' | 'stale' | 'none'
  readonly entry?: RemoteEntry
  readonly lease: Lease
  /** That moment by the store's clock, in ms. */
  readonly atMs: number
}

/** Who may load a key, until `leaseMs` are over. */
export interface LeaseClaim {
  readonly token: string
  readonly leaseMs: number
}

/** A writer's claim: it gets the lease only if nothing at all was invalidated since `mark`, or somebody else may have written later what it wrote earlier. */
export interface WriteClaim extends LeaseClaim {
  readonly mark: Mark
}

/** What storing takes: the lease, and the moment before loading. */
export interface StoreClaim {
  readonly token: string
  readonly mark: Mark
  /** When the lease was granted, by the store's clock: the entry is taken to be as old at least. Undefined: `ageMs` holds. */
  readonly grantedAtMs?: number | undefined
}

export interface FetchOptions {
  /** Asks for the lease where there is no entry that is fresh enough. */
  readonly lease?: LeaseClaim
  /** An entry counts as fresh if it lives longer than this, in ms; Infinity: none does. */
  readonly neededMs: number
}

export type Missed =
  | { readonly kind: 'same'; readonly mark: Mark }
  | {
      readonly kind: 'invalidations'
      readonly mark: Mark
      readonly names: readonly (Names & { readonly sequence: number })[]
    }
  /** What happened since can no longer be told. */
  | { readonly kind: 'gap'; readonly mark: Mark }

/**
 * The tier between processes, of one namespace. Each method is one atomic step of the store. Rejections leave open whether the step was taken.
 */
export interface RemoteTier {
  /** An entry that is current: of this epoch, and nothing that names it was invalidated since its mark. Undefined: the namespace has no epoch yet. */
  fetch(key: string, options: FetchOptions): Promise<Fetched | undefined>
  /** Keeps the entry if the lease is still the caller's and nothing that names it was invalidated since `mark`; gives the lease back. */
  store(key: string, entry: RemoteEntry, claim: StoreClaim): Promise<boolean>
  /** False: the lease has gone to somebody else or was withdrawn by an invalidation. */
  extend(key: string, token: string, leaseMs: number): Promise<boolean>
  /** Gives the lease back; `isOpen` lets those who wait load at the same time, because nothing will be kept. */
  release(key: string, token: string, isOpen: boolean): Promise<void>
  /** Moves the generations, drops the keys and withdraws their leases; under a claim the leases pass to the writer. Returns the mark of this invalidation. */
  invalidate(names: Names, claim?: WriteClaim): Promise<Mark>
  /** What was invalidated after `since`. Begins an epoch if there is none, or if the server is not the one the epoch began on. */
  sync(since: Mark | undefined): Promise<Missed>
  remember(hits: ReadonlyMap<string, number>): Promise<void>
  popular(limit: number): Promise<string[]>
  /** Whether commands can be sent at this moment. */
  readonly isReady: boolean
  /** `hint`: somebody invalidated, ask now. `lost`: nothing known of the server holds any longer. `ready`: it can be asked again. */
  listen(listener: (event: 'hint' | 'lost' | 'ready') => void): () => void
}
