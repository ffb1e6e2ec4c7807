import { coreErrors } from './core-errors.js'
import { isMillraceError, MillraceError } from './millrace-error.js'

/** The error itself when it is ours; anything else becomes INTERNAL with the original as its cause. */
export function toMillraceError(error: unknown): MillraceError {
  return isMillraceError(error) ? error : coreErrors.INTERNAL({ cause: error })
}

/**
 * Says during which action an error occurred: `wrapError('appending the batch', error)`. The action is a gerund in lower case.
 * Code, kind and everything else are kept, and the original becomes the cause.
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
