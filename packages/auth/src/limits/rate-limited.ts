import type { MillraceError } from '@millrace/contracts'
import { authErrors } from '../errors.js'
import type { LimitDecision } from './token-bucket.js'

/** The error for a request that got no tokens. */
export function rateLimited({ retryAfterMs, isBlocked }: Extract<LimitDecision, { ok: false }>): MillraceError {
  return authErrors.RATE_LIMITED({
    retryAfterSeconds: retryAfterMs / 1000,
    ...(isBlocked === true && { message: 'the rate limit of the tenant is 0, so it may send nothing' }),
  })
}
