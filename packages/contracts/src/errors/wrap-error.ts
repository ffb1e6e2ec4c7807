import { coreErrors } from './core-errors.js'
import { isMillraceError, MillraceError } from './millrace-error.js'

/** A MillraceError as it is; any other value becomes INTERNAL with that value as its cause. */
export function toMillraceError(error: unknown): MillraceError {
  return isMillraceError(error) ? error : coreErrors.INTERNAL({ cause: error })
}

/**
 * Adds the action that failed to the message: `wrapError('appending the batch', error)`. The action is a gerund in lower case. Code, kind and all
 * other properties stay the same, and the original error becomes the cause.
 */
export function wrapError(action: string, error: unknown): MillraceError {
  const inner = toMillraceError(error)
  return new MillraceError({
    code: inner.code,
    kind: inner.kind,
    message: `${action}: ${inner.message}`,
    cause: error,
    details: inner.details,
    retryable: inner.retryable,
    retryAfterSeconds: inner.retryAfterSeconds,
    httpStatus: inner.httpStatus,
  })
}
