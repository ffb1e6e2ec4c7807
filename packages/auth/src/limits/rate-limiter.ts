import { rateLimitKey } from '@millrace/contracts'
import { type Logger, silentLogger } from '@millrace/logger'
import { defineScript, type RedisConnection } from '@millrace/redis'
import type { CounterChild, Metrics } from '@millrace/telemetry'
import type { TenantLimits } from '../keys/principal.js'
import { ALLOWED, type LimitDecision, TokenBucket } from './token-bucket.js'

export interface RateLimiterConfig {
  /** Tokens a second for a tenant without limits of its own. 0 = no limit. */
  readonly ratePerSecond: number
  /** Tokens that may be spent at once after a pause. */
  readonly burst: number
  /** How many tokens a process takes from Redis ahead, as time at the full rate, in ms. Default 200. */
  readonly leaseMs?: number | undefined
  /** Share of the limit that this process grants by itself while Redis cannot be asked: one over the number of processes. Default 0.5. */
  readonly localShare?: number | undefined
  /** How long Redis may take to answer, in ms. Default 250. */
  readonly timeoutMs?: number | undefined
}

export interface RateLimiterDeps {
  readonly redis: RedisConnection
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Milliseconds, rising. Default `performance.now`. */
  readonly now?: (() => number) | undefined
}

/**
 * One token bucket a tenant, held in Redis and shared by all processes. A process takes tokens ahead and spends them without asking, and takes
 * more before they run out; so tenants together get at most `leaseMs` worth of tokens a process earlier than they should, never more in all.
 */
export interface RateLimiter {
  /**
   * At once when the tokens are here or are known not to be there; a promise, for one round trip to Redis, otherwise. Never throws.
   * `retryAfterMs` is when this cost can be met if nobody else takes the tokens.
   */
  take(tenantId: number, cost: number, limits?: TenantLimits): LimitDecision | Promise<LimitDecision>
}

const script = defineScript('limit-lease', new URL('../../lua/limit-lease.lua', import.meta.url))

/** While Redis cannot be asked, it is tried again so often. */
const RETRY_MS = 1_000
/** Tenants held in memory; beyond it the one not seen for longest is forgotten with the tokens it had ahead. */
const TENANTS_MAX = 10_000

interface Lease {
  tokens: number
  refusedUntil: number
  refill: Promise<void> | undefined
  /** Set while Redis cannot be asked. */
  local: TokenBucket | undefined
  retryAt: number
}

export function createRateLimiter(config: RateLimiterConfig, deps: RateLimiterDeps): RateLimiter {
  return new LeasingLimiter(config, deps)
}

interface Limit {
  readonly rate: number
  readonly burst: number
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
      ?.counter({ name: 'millrace_limit_refusals_total', help: 'Requests refused for the rate limit of their tenant' })
      .with({})
  }

  take(tenantId: number, cost: number, limits?: TenantLimits): LimitDecision | Promise<LimitDecision> {
    const rate = limits?.ratePerSecond ?? this.#config.ratePerSecond
    if (rate <= 0) return ALLOWED
    const limit = {
      rate,
      burst: limits?.burst ?? (limits?.ratePerSecond === undefined ? this.#config.burst : limits.ratePerSecond * 2),
    }
    return this.#take(tenantId, this.#leaseOf(tenantId), cost, limit)
  }

  #take(tenantId: number, lease: Lease, cost: number, limit: Limit): LimitDecision | Promise<LimitDecision> {
    if (lease.local) return this.#takeLocally(tenantId, lease, lease.local, cost, limit)
    if (lease.tokens >= cost) {
      lease.tokens -= cost
      // Ahead of need, so that the next request finds its tokens here.
      const isLow = lease.tokens < this.#chunk(limit) / 2
      if (isLow && lease.refill === undefined && this.#now() >= lease.refusedUntil)
        void this.#refill(tenantId, lease, 0, limit)
      return ALLOWED
    }
    const now = this.#now()
    if (now < lease.refusedUntil) return this.#refuse(lease.refusedUntil - now)
    const refill = lease.refill ?? this.#refill(tenantId, lease, cost - lease.tokens, limit)
    return refill.then(() => this.#take(tenantId, lease, cost, limit))
  }

  #takeLocally(tenantId: number, lease: Lease, bucket: TokenBucket, cost: number, limit: Limit): LimitDecision {
    const now = this.#now()
    if (now >= lease.retryAt && lease.refill === undefined) void this.#refill(tenantId, lease, 0, limit)
    const share = this.#config.localShare ?? 0.5
    const decision = bucket.take(cost, limit.rate * share, Math.max(1, limit.burst * share), now)
    if (!decision.ok) this.#refused?.inc()
    return decision
  }

  #refuse(retryAfterMs: number): LimitDecision {
    this.#refused?.inc()
    return { ok: false, retryAfterMs: Math.ceil(retryAfterMs) }
  }

  /** What to take ahead: `leaseMs` at the full rate, but no more than a quarter of the bucket, so that several processes get on with each other. */
  #chunk({ rate, burst }: Limit): number {
    return Math.max(1, Math.min((rate * (this.#config.leaseMs ?? 200)) / 1000, burst / 4))
  }

  #refill(tenantId: number, lease: Lease, missing: number, limit: Limit): Promise<void> {
    const needed = Math.max(1, Math.ceil(missing))
    const wanted = needed + Math.ceil(this.#chunk(limit))
    const refill = this.#ask(tenantId, [limit.rate, limit.burst, needed, wanted]).then(
      ([granted, waitMs]) => {
        lease.refill = undefined
        lease.local = undefined
        lease.tokens += granted
        if (granted === 0) lease.refusedUntil = this.#now() + Math.max(1, waitMs)
        this.#setLocal(false)
      },
      (error: unknown) => {
        lease.refill = undefined
        lease.retryAt = this.#now() + RETRY_MS
        lease.local ??= new TokenBucket(limit.burst * (this.#config.localShare ?? 0.5), this.#now())
        this.#setLocal(true, error)
      },
    )
    lease.refill = refill
    return refill
  }

  async #ask(tenantId: number, args: readonly number[]): Promise<[granted: number, waitMs: number]> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('redis did not answer in time')), this.#config.timeoutMs ?? 250)
    })
    try {
      return (await Promise.race([script.run(this.#redis.client, [rateLimitKey(tenantId)], args), late])) as [
        number,
        number,
      ]
    } finally {
      clearTimeout(timer)
    }
  }

  #setLocal(isLocal: boolean, error?: unknown): void {
    if (isLocal === this.#isLocal) return
    this.#isLocal = isLocal
    if (isLocal) this.#logger.warn('rate limits are kept by this process alone: redis cannot be asked', { error })
    else this.#logger.info('rate limits are shared again')
  }

  #leaseOf(tenantId: number): Lease {
    let lease = this.#leases.get(tenantId)
    if (lease === undefined) {
      lease = { tokens: 0, refusedUntil: 0, refill: undefined, local: undefined, retryAt: 0 }
      this.#leases.set(tenantId, lease)
      if (this.#leases.size > TENANTS_MAX) this.#leases.delete(this.#leases.keys().next().value as number)
    }
    return lease
  }
}
