export type LimitDecision =
  | { readonly ok: true }
  /** `isBlocked`: the tenant's rate is 0, so waiting does not help until somebody raises it. */
  | { readonly ok: false; readonly retryAfterMs: number; readonly isBlocked?: boolean }

export const ALLOWED: LimitDecision = { ok: true }

/** A token bucket in this process. A cost above the capacity needs a full bucket and leaves it with a debt. */
export class TokenBucket {
  #tokens: number
  #at: number

  constructor(capacity: number, now: number) {
    this.#tokens = capacity
    this.#at = now
  }

  take(cost: number, ratePerSecond: number, capacity: number, now: number): LimitDecision {
    this.#tokens = Math.min(capacity, this.#tokens + (Math.max(0, now - this.#at) * ratePerSecond) / 1000)
    this.#at = now
    const missing = Math.min(cost, capacity) - this.#tokens
    if (missing > 0) return { ok: false, retryAfterMs: Math.ceil((missing * 1000) / ratePerSecond) }
    this.#tokens -= cost
    return ALLOWED
  }
}
