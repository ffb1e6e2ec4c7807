/** How many rejections with one code of one tenant are kept. */
export interface SamplerConfig {
  readonly perSecond: number
  /** How many are kept at once after a pause. */
  readonly burst: number
}

interface Bucket {
  tokens: number
  atMs: number
  omitted: number
}

/** Tenants times codes in memory. Beyond that, the bucket that was created first is dropped. */
const BUCKETS_MAX = 10_000

/**
 * Decides which rejections are kept. Each code of each tenant has its own token bucket, so a flood with one code neither costs more than its rate
 * nor hides the rejections with other codes.
 */
export class RejectionSampler {
  readonly #config: SamplerConfig
  readonly #buckets = new Map<string, Bucket>()

  constructor(config: SamplerConfig) {
    this.#config = config
  }

  /**
   * The number of rejections with this tenant and code that were not kept since the last kept one, when this one is to be kept; undefined when it is
   * not.
   */
  take(tenantId: number, code: string, nowMs: number): number | undefined {
    const { perSecond, burst } = this.#config
    const bucket = this.#bucket(`${tenantId} ${code}`, nowMs)
    const elapsedMs = Math.max(0, nowMs - bucket.atMs)
    bucket.tokens = Math.min(burst, bucket.tokens + (elapsedMs * perSecond) / 1000)
    bucket.atMs = nowMs
    if (bucket.tokens < 1) {
      bucket.omitted++
      return undefined
    }
    bucket.tokens--
    const { omitted } = bucket
    bucket.omitted = 0
    return omitted
  }

  #bucket(key: string, nowMs: number): Bucket {
    let bucket = this.#buckets.get(key)
    if (bucket === undefined) {
      bucket = { tokens: this.#config.burst, atMs: nowMs, omitted: 0 }
      this.#buckets.set(key, bucket)
      if (this.#buckets.size > BUCKETS_MAX) this.#buckets.delete(this.#buckets.keys().next().value as string)
    }
    return bucket
  }
}
