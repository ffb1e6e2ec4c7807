import type { Packed } from './codec.js'
import type { Names } from './generations.js'

/**
 * A position in the log of invalidations of one namespace. Numbers of different epochs cannot be compared: a new epoch begins whenever the store may
 * have lost an invalidation, and entries of an older epoch are outdated.
 */
export interface LogPosition {
  readonly epoch: string
  readonly sequence: number
}

/** An entry in Redis. */
export interface RemoteEntry {
  readonly tags: readonly string[]
  /** Time since the loader began, in ms. */
  readonly ageMs: number
  readonly ttlMs: number
  readonly staleMs: number
  readonly packed: Packed
}

/** Whether the caller may load the key. `leased`: yes. `open`: yes, but the value is not kept. `busy`: another process is loading. */
export type Lease = 'leased' | 'busy' | 'open' | 'not_requested'

/** The result of reading a key from Redis. */
export interface Fetched {
  /** The position at the time of the read. */
  readonly position: LogPosition
  readonly quality: 'fresh' | 'stale' | 'none'
  readonly entry?: RemoteEntry
  readonly lease: Lease
  /** The time of the read by the store's clock, in ms. */
  readonly atMs: number
}

/** A request for the lease of a key, for `leaseMs`. */
export interface LeaseClaim {
  readonly token: string
  readonly leaseMs: number
}

/** A writer's request. It gets the lease only if nothing in the namespace was invalidated since `position`; otherwise another writer may have written later. */
export interface WriteClaim extends LeaseClaim {
  readonly position: LogPosition
}

/** What is needed to store a value: the lease, and the position before the load. */
export interface StoreClaim {
  readonly token: string
  readonly position: LogPosition
  /** When the lease was granted, by the store's clock: the entry counts as at least that old. Undefined: only `ageMs` counts. */
  readonly grantedAtMs?: number | undefined
}

/** Options of reading a key from Redis. */
export interface FetchOptions {
  /** Requests the lease if there is no entry that is fresh enough. */
  readonly lease?: LeaseClaim
  /** An entry is fresh enough if its remaining lifetime is longer than this, in ms; Infinity: no entry is. */
  readonly neededMs: number
}

/** The invalidations since a log position, or that they are no longer known. */
export type Missed =
  | { readonly kind: 'same'; readonly position: LogPosition }
  | {
      readonly kind: 'invalidations'
      readonly position: LogPosition
      readonly names: readonly (Names & { readonly sequence: number })[]
    }
  /** The invalidations since the position are no longer known. */
  | { readonly kind: 'gap'; readonly position: LogPosition }

/**
 * The tier of one namespace that processes share. Each method is one atomic step of the store. After a rejection the step may or may not have been taken.
 */
export interface RemoteTier {
  /** Reads an entry if it is current: of this epoch, and its key and tags were not invalidated since its position. Undefined if the namespace has no epoch yet. */
  fetch(key: string, options: FetchOptions): Promise<Fetched | undefined>
  /** Stores the entry if the caller still holds the lease and its key and tags were not invalidated since `position`; ends the lease. */
  store(key: string, entry: RemoteEntry, claim: StoreClaim): Promise<boolean>
  /** Renews a lease. False if another process has it or an invalidation has ended it. */
  extend(key: string, token: string, leaseMs: number): Promise<boolean>
  /** Ends the lease. `isOpen`: waiting processes may load at the same time, because the value is not kept. */
  release(key: string, token: string, isOpen: boolean): Promise<void>
  /** Invalidates names, deletes the keys and ends their leases; with a claim the leases go to the writer. Returns the position of this invalidation. */
  invalidate(names: Names, claim?: WriteClaim): Promise<LogPosition>
  /** The invalidations after `since`. Begins an epoch if there is none, or if the epoch began on another server. */
  sync(since: LogPosition | undefined): Promise<Missed>
  remember(hits: ReadonlyMap<string, number>): Promise<void>
  popular(limit: number): Promise<string[]>
  /** Whether commands can be sent at this moment. */
  readonly isReady: boolean
  /** `hint`: the log may have grown. `lost`: the connection was lost, so nothing known about the store is certain. `ready`: it is connected again. */
  listen(listener: (event: 'hint' | 'lost' | 'ready') => void): () => void
}
