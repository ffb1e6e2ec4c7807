/** The rate limit of one tenant, from `limits` in its settings. For missing values the defaults of the service apply. */
export interface TenantLimits {
  /** Tokens per second. 0: the tenant is blocked. */
  readonly ratePerSecond?: number | undefined
  /** Capacity of the token bucket. Default: the tokens of two seconds. */
  readonly burst?: number | undefined
  /** Grows with each change of the tenant's settings, so that an older state is never taken for a newer one. */
  readonly version?: number | undefined
}

/**
 * Reads the JSON of `settings -> 'limits'`, which people write by hand: a number may be given as text, a negative one means 0, and whatever is not
 * a number counts as missing.
 */
export function parseTenantLimits(json: unknown, version: number): TenantLimits {
  const { ratePerSecond, burst } = (json ?? {}) as { ratePerSecond?: unknown; burst?: unknown }
  return { ratePerSecond: readNumber(ratePerSecond), burst: readNumber(burst), version }
}

function readNumber(value: unknown): number | undefined {
  if (typeof value !== 'number' && (typeof value !== 'string' || value.trim() === '')) return undefined
  const number = Number(value)
  return Number.isFinite(number) ? Math.max(0, number) : undefined
}
