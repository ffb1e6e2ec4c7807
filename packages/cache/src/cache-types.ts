import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { CacheMetrics } from './cache-metrics.js'
import type { Clock } from './clock.js'
import type { Codec } from './codec.js'
import type { CacheLevel } from './levels.js'
import type { CacheStats } from './tier-stats.js'

/** Name and limits of a cache. */
export interface CacheOptions {
  /** Processes that use the same name on the same Redis share values. Letters, digits, `-`, `_` and `.`. */
  readonly name: string
  /** Memory limit of all namespaces together, in encoded bytes (objects take two to three times as much). Default 128 MiB. */
  readonly memoryBytesMax?: number
  /**
   * Maximum lag of other processes, in ms, default 2,000. After an invalidation has resolved with `reach: 'everywhere'`, a read that begins this much
   * later in any other process does not return the old value, even if messages are lost: a process that could not read the log for this long does
   * not use its memory.
   */
  readonly lagMsMax?: number
  /** How often a process reads missed invalidations from Redis, in ms. Default a third of `lagMsMax`. */
  readonly syncEveryMs?: number
  /** Time limit of a Redis command, in ms; then the value is loaded instead. Default 500. */
  readonly remoteTimeoutMs?: number
  /** Duration of the lease under which a process loads a key, in ms; the process renews it. If the process dies, another may load after this long. Default 3,000. */
  readonly leaseMs?: number
}

/** What a cache works with. */
export interface CacheDeps {
  readonly logger: Logger
  /** Without it the cache uses only the memory of this process. */
  readonly redis?: RedisConnection | undefined
  readonly metrics?: CacheMetrics | undefined
  readonly clock?: Clock | undefined
  /** 0 to 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined
}

/** Namespaces of cached values in the memory of this process and, if configured, in Redis. */
export interface Cache {
  /** Opens a namespace, once a name. Keys, tags and patterns of one namespace do not affect another. */
  namespace<T>(name: string, options: NamespaceOptions<T>): Namespace<T>
  stats(): Readonly<Record<string, CacheStats>>
  /** Waits for writes to Redis under way, for at most 2 s. Later reads call their loader. May be called twice. */
  close(): Promise<void>
}

/** Lifetimes, limits and encoding of a namespace. */
export interface NamespaceOptions<T> {
  readonly level: CacheLevel
  /** How long a value is fresh, in ms. Default: the level's. */
  readonly ttlMs?: number
  /**
   * How long an expired value may still be returned, marked stale, while it is loaded again or when loading fails, in ms. Default 0. An invalidated
   * value is never returned.
   */
  readonly staleMs?: number
  /** Lifetime of `null`, which means that there is no value, in ms; 0: not kept. Default 10,000, at most `ttlMs`. */
  readonly negativeTtlMs?: number
  /** Lifetimes are shortened by a random part of up to this share, so that values that were loaded together do not expire together. Default 0.1. */
  readonly jitter?: number
  /** How long a caller waits for a fresh value when there is a stale one, in ms. Default 0: the stale value is returned at once. */
  readonly softTimeoutMs?: number
  /** Time limit of a load, including the wait for another process, in ms; then CACHE_LOAD_TIMEOUT or the stale value. Default 30,000. */
  readonly hardTimeoutMs?: number
  /** A value that is read often is refreshed when this share of its lifetime is left; 0: only after it has expired. Default 0.2. */
  readonly refreshAhead?: number
  /** Every read first reads missed invalidations from Redis: no lag, at the cost of one short command (shared by concurrent reads). Default false. */
  readonly isStrict?: boolean
  /**
   * When a load fails and Redis cannot be reached either, the last value of this process is returned, marked stale, although another process may
   * have invalidated it. Default false: the read rejects.
   */
  readonly allowsUnconfirmedOnError?: boolean
  /** Whether values are also stored in Redis. Invalidations always are. Default true. */
  readonly isShared?: boolean
  /** Whether popular keys are counted in Redis for `popularKeys`. Default true. */
  readonly remembersPopular?: boolean
  /** Default JSON. */
  readonly codec?: Codec<T>
  /** Encoded values of at least this size are compressed (LZ4) for Redis, in bytes. Default 4,096. */
  readonly compressBytesMin?: number
  /** Limit of one encoded value. Default: the level's. */
  readonly entryBytesMax?: number
  /** Memory limit of the namespace in this process. Default: the level's. */
  readonly memoryBytesMax?: number
}

/** The result of a read. Callers share the value, so they must not change it. */
export interface Hit<T> {
  readonly value: T
  readonly source: 'memory' | 'redis' | 'source'
  /** Time since its loader began, in ms. */
  readonly ageMs: number
  /** Whether the value is expired or unconfirmed. */
  readonly isStale: boolean
  /** When its loader began, ms since 1970. */
  readonly storedAt: number
}

/** Options of one read. */
export interface ReadOptions<T> {
  /** Tags that are known before the load; the loader may add more. Use a few short ones: every read from Redis compares them. */
  readonly tags?: readonly string[]
  readonly ttlMs?: number
  readonly staleMs?: number
  readonly softTimeoutMs?: number
  readonly isStrict?: boolean
  /** Requires a value whose load begins after this call. */
  readonly isFresh?: boolean
  /** Whether a cached value is acceptable, for example recent enough; otherwise it is loaded. */
  readonly accept?: (value: T) => boolean
}

/** What a loader can set for the value that it returns. */
export interface LoadContext {
  readonly key: string
  /** Aborted at the hard time-out. */
  readonly signal: AbortSignal
  /** Adds tags. They count from the start of the loader. */
  tag(...tags: readonly string[]): void
  /** Sets the lifetime of this value, in ms. */
  expire(ttlMs: number, staleMs?: number): void
  /** The value is returned to the waiting callers and not kept. */
  skip(): void
}

/** Loads a value that is not cached. It may be called by several processes at once when a lease expires. */
export type Load<T> = (context: LoadContext) => Promise<T> | T

/** How far an invalidation has got when the call returns. */
export interface Invalidation {
  /**
   * `everywhere`: Redis has the invalidation, or the cache has no Redis. This process no longer returns the old value; other processes may return it
   * for at most `lagMsMax`. `process`: Redis could not be reached. This process no longer returns the old value; it sends the invalidation when Redis
   * is back, unless it ends before.
   */
  readonly reach: 'everywhere' | 'process'
}

/** A key to load before anybody asks for it. */
export interface WarmEntry<T> {
  readonly key: string
  readonly load: Load<T>
  readonly options?: ReadOptions<T>
}

/**
 * Cached values of one kind. A read never returns a value that was loaded before an invalidation that had ended when
 * the read began.
 */
export interface Namespace<T> {
  readonly name: string
  /** Returns a fresh value from memory at once, without a load. Always undefined in strict namespaces. */
  peek(key: string): Hit<T> | undefined
  /** Returns a fresh value from memory or Redis; undefined when neither has one. */
  get(key: string, options?: ReadOptions<T>): Promise<Hit<T> | undefined>
  /**
   * Returns a cached value, or else the value of `load`. Concurrent callers for one key share one load, across all processes. If the key or a tag is
   * invalidated during a load, its value is returned only to callers from before the invalidation and is not kept. `undefined` is not kept.
   * @throws the error of `load`, unless there is a stale value; CACHE_LOAD_TIMEOUT.
   */
  getOrSet(key: string, load: Load<T>, options?: ReadOptions<T>): Promise<Hit<T>>
  /**
   * Invalidates the key and keeps a value that the caller has just written to the source. If anything in the namespace is invalidated meanwhile, the
   * value is not kept, because another writer may have written later. Use `delete` where the next read may load the value.
   */
  set(key: string, value: T, options?: Pick<ReadOptions<T>, 'tags' | 'ttlMs' | 'staleMs'>): Promise<Invalidation>
  delete(...keys: readonly string[]): Promise<Invalidation>
  invalidateTags(tags: readonly string[]): Promise<Invalidation>
  /** Invalidates all keys that match: `*` stands for any characters, `?` for one character. */
  invalidatePattern(glob: string): Promise<Invalidation>
  invalidateAll(): Promise<Invalidation>
  /** Loads missing entries, at most `concurrency` (default 4) at a time. A failed load is logged and the others continue. Returns how many entries are cached now. */
  warm(entries: Iterable<WarmEntry<T>>, concurrency?: number): Promise<number>
  /** The keys that are read most in all processes, most popular first. */
  popularKeys(limit?: number): Promise<string[]>
  stats(): CacheStats
}
