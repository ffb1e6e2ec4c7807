import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'
import type { CacheMetrics } from './cache-metrics.js'
import type { Clock } from './clock.js'
import type { Codec } from './codec.js'
import type { CacheLevel } from './levels.js'
import type { CacheStats } from './tier-stats.js'

export interface CacheOptions {
  /** Processes that use one name on one Redis share its values. Letters, digits, `-`, `_` and `.`. */
  readonly name: string
  /** Memory of all namespaces together, counted in encoded bytes (objects take two to three times as much). Default 128 MiB. */
  readonly memoryBytesMax?: number
  /**
   * After an invalidation has resolved with `reach: 'everywhere'`, a read that begins so much later in any other process does not get the old
   * value, whatever messages are lost: memory that could not be compared with Redis for so long is not believed. In ms, default 2,000.
   */
  readonly lagMsMax?: number
  /** How often a process asks Redis what it missed, in ms. Default a third of `lagMsMax`. */
  readonly syncEveryMs?: number
  /** How long Redis may take for an answer before the source is asked instead, in ms. Default 500. */
  readonly remoteTimeoutMs?: number
  /** So long after a loading process dies may another load its key, in ms; a live one renews it. Default 3,000. */
  readonly leaseMs?: number
}

export interface CacheDeps {
  readonly logger: Logger
  /** Without it the cache is this process's memory alone. */
  readonly redis?: RedisConnection | undefined
  readonly metrics?: CacheMetrics | undefined
  readonly clock?: Clock | undefined
  /** 0 to 1. Default `Math.random`. */
  readonly random?: (() => number) | undefined
}

export interface Cache {
  /** Opens a namespace: keys, tags and patterns of one do not touch another. One name is opened once. */
  namespace<T>(name: string, options: NamespaceOptions<T>): Namespace<T>
  stats(): Readonly<Record<string, CacheStats>>
  /** Lets writes to Redis under way finish, for at most 2 s. Later reads go to their source. May be called twice. */
  close(): Promise<void>
}

export interface NamespaceOptions<T> {
  readonly level: CacheLevel
  /** How long a value is fresh, in ms. Default that of the level. */
  readonly ttlMs?: number
  /**
   * So long after that may an expired value (never an invalidated one) still be given, marked stale, while it is loaded again or when loading
   * fails. In ms, default 0.
   */
  readonly staleMs?: number
  /** Lifetime of `null`, the answer "there is none", in ms. 0: it is not kept. Default 10,000 or `ttlMs` if that is less. */
  readonly negativeTtlMs?: number
  /** Lifetimes are shortened by up to this share by chance, so that what was loaded together does not expire together. Default 0.1. */
  readonly jitter?: number
  /** How long a caller for whom there is a stale value waits for a fresh one, in ms. Default 0: it is answered at once. */
  readonly softTimeoutMs?: number
  /** How long loading may take, waiting for another process included, in ms; then CACHE_LOAD_TIMEOUT, or the stale value. Default 30,000. */
  readonly hardTimeoutMs?: number
  /** A value read often is loaded again before it expires, when so little of its lifetime is left. A share; 0: never. Default 0.2. */
  readonly refreshAhead?: number
  /** Every read asks Redis first what was invalidated: no lag at all, for one short command a read (shared by reads at one time). Default false. */
  readonly isStrict?: boolean
  /**
   * When the source fails and Redis cannot be asked either, the last value of this process is given, marked stale, though it may have been
   * invalidated elsewhere. Default false: the error.
   */
  readonly givesUnconfirmedOnError?: boolean
  /** Whether values go to Redis too. Invalidations do either way. Default true. */
  readonly isShared?: boolean
  /** Whether the keys read most are remembered in Redis for `popularKeys`. Default true. */
  readonly remembersPopular?: boolean
  /** Default JSON. */
  readonly codec?: Codec<T>
  /** Encoded values from this size on are compressed for Redis (LZ4), in bytes. Default 4,096. */
  readonly compressBytesMin?: number
  /** Default that of the level. */
  readonly entryBytesMax?: number
  /** Default that of the level. */
  readonly memoryBytesMax?: number
}

/** Values are shared between callers: never change one. */
export interface Hit<T> {
  readonly value: T
  readonly source: 'memory' | 'redis' | 'source'
  /** Since its loader began, in ms. */
  readonly ageMs: number
  /** Expired (or unconfirmed) and given all the same. */
  readonly isStale: boolean
  /** When its loader began: ms since 1970. */
  readonly storedAt: number
}

export interface ReadOptions<T> {
  /** Tags known before loading; the loader may add more. A few, each short: every read from Redis compares them. */
  readonly tags?: readonly string[]
  readonly ttlMs?: number
  readonly staleMs?: number
  readonly softTimeoutMs?: number
  readonly isStrict?: boolean
  /** The value has to be loaded after this call began. */
  readonly isFresh?: boolean
  /** Whether a kept value will do, for example whether it is recent enough; if not, it is loaded. */
  readonly accept?: (value: T) => boolean
}

/** What a loader may say about the value it is about to return. */
export interface LoadContext {
  readonly key: string
  /** Aborted at the hard time-out. */
  readonly signal: AbortSignal
  /** Adds tags; they hold from the moment the loader began. */
  tag(...tags: readonly string[]): void
  /** Lifetime of this value, in ms. */
  expire(ttlMs: number, staleMs?: number): void
  /** Gives the value to who waits for it and keeps it nowhere. */
  skip(): void
}

export type Load<T> = (context: LoadContext) => Promise<T> | T

export interface Invalidation {
  /**
   * `everywhere`: Redis has it (or there is none, and this process is all there is); this process gives the old value from now on never, any other at latest `lagMsMax` later.
   * `process`: Redis could not be reached. This process gives the old value never; the others are told when Redis is back, as long as this process lives.
   */
  readonly reach: 'everywhere' | 'process'
}

export interface WarmEntry<T> {
  readonly key: string
  readonly load: Load<T>
  readonly options?: ReadOptions<T>
}

export interface Namespace<T> {
  readonly name: string
  /** A fresh value of this process's memory, at once; nothing is loaded. Not for strict namespaces: there it is always undefined. */
  peek(key: string): Hit<T> | undefined
  /** A fresh value of memory or Redis; undefined when neither has one. */
  get(key: string, options?: ReadOptions<T>): Promise<Hit<T> | undefined>
  /**
   * A kept value, or what `load` gives. However many ask for one key at one time, in however many processes, it is loaded once. A value whose key
   * or tags were invalidated since its loader began is given to those who asked before that and is kept nowhere. `undefined` is not kept.
   * Errors of `load` are passed on unless there is a stale value.
   */
  getOrSet(key: string, load: Load<T>, options?: ReadOptions<T>): Promise<Hit<T>>
  /**
   * Invalidates the key and keeps a value that the caller has just written to the source. If anything was invalidated in the namespace meanwhile, it
   * only invalidates: another writer may be ahead. Where nothing is gained by it, `delete` does.
   */
  set(key: string, value: T, options?: Pick<ReadOptions<T>, 'tags' | 'ttlMs' | 'staleMs'>): Promise<Invalidation>
  delete(...keys: readonly string[]): Promise<Invalidation>
  invalidateTags(tags: readonly string[]): Promise<Invalidation>
  /** `*` stands for any characters, `?` for one; everything else for itself. Matched against whole keys. */
  invalidatePattern(glob: string): Promise<Invalidation>
  invalidateAll(): Promise<Invalidation>
  /** Loads what is not there, at most `concurrency` (default 4) at a time; a failure is logged and the others go on. Returns how many are there now. */
  warm(entries: Iterable<WarmEntry<T>>, concurrency?: number): Promise<number>
  /** The keys that all processes read most, most popular first. */
  popularKeys(limit?: number): Promise<string[]>
  stats(): CacheStats
}
