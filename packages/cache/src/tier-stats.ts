/** Counts of this process since the namespace was opened. */
export interface CacheStats {
  readonly memory: {
    readonly hits: number
    readonly stale: number
    readonly misses: number
    /** hits / (hits + stale + misses); 0 before the first read. */
    readonly hitRatio: number
    readonly entries: number
    /** Encoded bytes. */
    readonly bytes: number
    readonly evictions: number
  }
  readonly redis: {
    readonly hits: number
    readonly stale: number
    readonly misses: number
    readonly hitRatio: number
    readonly errors: number
    readonly bytesRead: number
    readonly bytesWritten: number
  }
  readonly source: {
    readonly loads: number
    readonly errors: number
    readonly timeouts: number
    /** Loaded but not kept: invalidated meanwhile, too large, or skipped by the loader. */
    readonly unkept: number
  }
  readonly invalidations: number
  /** Share of the reads without a load: 1 - loads / reads. */
  readonly hitRatio: number
}
