import { rateLimitKey } from '@millrace/contracts'
import { type Logger, silentLogger } from '@millrace/logger'
import { defineScript, type RedisConnection } from '@millrace/redis'
import type { CounterChild, Metrics } from '@millrace/telemetry'
import type { TenantLimits } from './tenant-limits.js'
import { ALLOWED, type LimitDecision, TokenBucket } from './token-bucket.js'

export interface RateLimiterConfig {
  /** Name of the tokens, where a tenant has separate limits for different things. Default: the tokens for events. */
  readonly bucket?: string | undefined
  /** Tokens per second for a tenant without its own limit. 0 means no limit. */
  readonly ratePerSecond: number
  /** Capacity of the token bucket: tokens that can be spent at once after a pause. */
  readonly burst: number
  /** How many tokens a process takes from Redis in advance: the tokens of this time at the full rate, in ms. Default 200. */
  readonly leaseMs?: number | undefined
  /** Share of the limit that this process grants while Redis cannot be reached; best is 1 / number of processes. Default 0.5. */
  readonly localShare?: number | undefined
  /** Time limit for an answer of Redis, in ms. Default 250. */
  readonly timeoutMs?: number | undefined
}

export interface RateLimiterDeps {
  readonly redis: RedisConnection
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Milliseconds of a clock that only goes forward. Default `performance.now`. */
  readonly now?: (() => number) | undefined
}

/**
 * One token bucket for each tenant, kept in Redis and shared by all processes. A process takes tokens in advance, spends them without a round trip,
 * and takes more before they run out. So a tenant gets tokens at most `leaseMs` per process too early, and never more tokens in total.
 */
export interface RateLimiter {
  /**
   * Takes `cost` tokens. Returns a decision directly when the process has the tokens or knows that there are none, otherwise a promise for one
   * round trip to Redis. Never throws. After `retryAfterMs` the cost can be met, unless other requests take the tokens. A tenant whose own rate is
   * 0 gets nothing. Limits with a lower version than known ones, from a request that began before a change, are ignored.
   */
  take(tenantId: number, cost: number, limits?: TenantLimits): LimitDecision | Promise<LimitDecision>
  /** The tenant's limits are these from now on. Tokens that this process took in advance under other limits are dropped. */
  change(tenantId: number, limits: TenantLimits): void
}

const script = defineScript('limit-lease', new URL('../../lua/limit-lease.lua', import.meta.url))

/** Pause between two attempts while Redis cannot be reached, in ms. */
const RETRY_MS = 1_000
/** Tenants in memory. Beyond that, the one that was created first is removed together with the tokens taken in advance. */
const TENANTS_MAX = 10_000

/** The Retry-After of a blocked tenant, in ms: SDKs retry after this time instead of every second. */
const BLOCKED_RETRY_MS = 60_000

interface Lease {
  /** The limits that `limit` was made from. */
  limits: TenantLimits | undefined
  limit: Limit
  tokens: number
  refusedUntil: number
  refill: Promise<void> | undefined
  /** Set while Redis cannot be reached. */
  local: TokenBucket | undefined
  retryAt: number
}

export function createRateLimiter(config: RateLimiterConfig, deps: RateLimiterDeps): RateLimiter {
  return new LeasingLimiter(config, deps)
}

interface Limit {
  readonly rate: number
  readonly burst: number
  /** `always` and `never` need no tokens. */
  readonly grants: 'tokens' | 'always' | 'never'
}

class LeasingLimiter implements RateLimiter {
  readonly #config: RateLimiterConfig
  readonly #redis: RedisConnection
  readonly #logger: Logger
  readonly #now: () => number
  readonly #refused: CounterChild | undefined
  readonly #leases = new Map<number, Lease>()
  #isLocal = false

  constructor(config: RateLimiterConfig, deps: RateLimiterDeps) {
    this.#config = config
    this.#redis = deps.redis
    this.#logger = deps.logger ?? silentLogger
    this.#now = deps.now ?? (() => performance.now())
    this.#refused = deps.metrics
      ?.counter({
        name: 'millrace_limit_refusals_total',
        help: 'Requests rejected because their tenant exceeded its rate limit',
      })
      .with({})
  }

  take(tenantId: number, cost: number, limits?: TenantLimits): LimitDecision | Promise<LimitDecision> {
    const lease = this.#leaseOf(tenantId, limits)
    if (lease.limits !== limits) this.#adopt(lease, limits)
    return this.#take(tenantId, lease, cost)
  }

  change(tenantId: number, limits: TenantLimits): void {
    const lease = this.#leases.get(tenantId)
    if (lease !== undefined) this.#adopt(lease, limits)
  }

  #adopt(lease: Lease, limits: TenantLimits | undefined): void {
    if ((limits?.version ?? 0) < (lease.limits?.version ?? 0)) return
    const { limit: old } = lease
    const limit = this.#toLimit(limits)
    lease.limits = limits
    lease.limit = limit
    if (limit.rate === old.rate && limit.burst === old.burst && limit.grants === old.grants) return
    lease.tokens = 0
    lease.refusedUntil = 0
    // Those who wait for it ask again; what it brings was granted under the old limits and is dropped.
    lease.refill = undefined
  }

  #toLimit(limits: TenantLimits | undefined): Limit {
    const rate = limits?.ratePerSecond ?? this.#config.ratePerSecond
    const burst = limits?.burst ?? (limits?.ratePerSecond === undefined ? this.#config.burst : rate * 2)
    if (rate > 0) return { rate, burst, grants: 'tokens' }
    return { rate, burst, grants: limits?.ratePerSecond === undefined ? 'always' : 'never' }
  }

  #take(tenantId: number, lease: Lease, cost: number): LimitDecision | Promise<LimitDecision> {
    const { limit } = lease
    if (limit.grants !== 'tokens') return limit.grants === 'always' ? ALLOWED : this.#refuse(BLOCKED_RETRY_MS, true)
    if (lease.local) return this.#takeLocally(tenantId, lease, lease.local, cost)
    if (lease.tokens >= cost) {
      lease.tokens -= cost
      // In advance, so that the next request finds its tokens in this process.
      const isLow = lease.tokens < this.#chunk(limit) / 2
      if (isLow && lease.refill === undefined && this.#now() >= lease.refusedUntil)
        void this.#refill(tenantId, lease, 0)
      return ALLOWED
    }
    const now = this.#now()
    if (now < lease.refusedUntil) return this.#refuse(lease.refusedUntil - now)
    const refill = lease.refill ?? this.#refill(tenantId, lease, cost - lease.tokens)
    return refill.then(() => this.#take(tenantId, lease, cost))
  }

  #takeLocally(tenantId: number, lease: Lease, bucket: TokenBucket, cost: number): LimitDecision {
    const { limit } = lease
    const now = this.#now()
    if (now >= lease.retryAt && lease.refill === undefined) void this.#refill(tenantId, lease, 0)
    const share = this.#config.localShare ?? 0.5
    const decision = bucket.take(cost, limit.rate * share, Math.max(1, limit.burst * share), now)
    if (!decision.ok) this.#refused?.inc()
    return decision
  }

  #refuse(retryAfterMs: number, isBlocked = false): LimitDecision {
    this.#refused?.inc()
    return { ok: false, retryAfterMs: Math.ceil(retryAfterMs), ...(isBlocked && { isBlocked }) }
  }

  /** Tokens to take in advance: those of `leaseMs` at the full rate, but at most a quarter of the bucket, so that several processes can share it. */
  #chunk({ rate, burst }: Limit): number {
    return Math.max(1, Math.min((rate * (this.#config.leaseMs ?? 200)) / 1000, burst / 4))
  }

  #refill(tenantId: number, lease: Lease, missing: number): Promise<void> {
    const { limit } = lease
    const needed = Math.max(1, Math.ceil(missing))
    const wanted = needed + Math.ceil(this.#chunk(limit))
    const refill: Promise<void> = this.#takeFromRedis(tenantId, [limit.rate, limit.burst, needed, wanted]).then(
      ([granted, waitMs]) => {
        if (lease.refill !== refill) return
        lease.refill = undefined
        lease.local = undefined
        lease.tokens += granted
        if (granted === 0) lease.refusedUntil = this.#now() + Math.max(1, waitMs)
        this.#setLocal(false)
      },
      (error: unknown) => {
        if (lease.refill !== refill) return
        lease.refill = undefined
        lease.retryAt = this.#now() + RETRY_MS
        lease.local ??= new TokenBucket(limit.burst * (this.#config.localShare ?? 0.5), this.#now())
        this.#setLocal(true, error)
      },
    )
    lease.refill = refill
    return refill
  }

  async #takeFromRedis(tenantId: number, args: readonly number[]): Promise<[granted: number, waitMs: number]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('Redis did not answer in time')), this.#config.timeoutMs ?? 250)
    })
    try {
      return (await Promise.race([
        script.run(this.#redis.client, [rateLimitKey(tenantId, this.#config.bucket)], args),
        late,
      ])) as [number, number]
    } finally {
      clearTimeout(timer)
    }
  }

  #setLocal(isLocal: boolean, error?: unknown): void {
    if (isLocal === this.#isLocal) return
    this.#isLocal = isLocal
    if (isLocal)
      this.#logger.warn('Redis cannot be reached: this process grants its share of each rate limit on its own', {
        error,
      })
    else this.#logger.info('Redis can be reached again: rate limits are shared by all processes')
  }

  #leaseOf(tenantId: number, limits: TenantLimits | undefined): Lease {
    let lease = this.#leases.get(tenantId)
    if (lease === undefined) {
      const limit = this.#toLimit(limits)
      lease = { limits, limit, tokens: 0, refusedUntil: 0, refill: undefined, local: undefined, retryAt: 0 }
      this.#leases.set(tenantId, lease)
      if (this.#leases.size > TENANTS_MAX) this.#leases.delete(this.#leases.keys().next().value as number)
    }
    return lease
  }
}
