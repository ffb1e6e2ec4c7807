import { type ErrorKind, KIND_TRAITS } from './error-kind.js'

/** Facts about an error, which callers receive: plain JSON values, never secrets or personal data. */
export type ErrorDetails = Readonly<Record<string, unknown>>

/** What an error is made of. */
export interface MillraceErrorInit {
  /** Stable name in upper snake case. Clients depend on it, so its meaning never changes. */
  readonly code: string
  readonly kind: ErrorKind
  /** A fact in lower case, without a full stop. */
  readonly message: string
  readonly cause?: unknown
  readonly details?: ErrorDetails | undefined
  /** Default: the value of the kind. */
  readonly retryable?: boolean | undefined
  /** When to try again, in seconds; becomes the Retry-After header. */
  readonly retryAfterSeconds?: number | undefined
  /** HTTP status, where that of the kind is not precise enough, such as 413 and 415. Default: that of the kind. */
  readonly httpStatus?: number | undefined
}

/** The only error class: every failure has exactly one code. The factories of `defineErrors` create it. */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: string
  readonly kind: ErrorKind
  readonly retryable: boolean
  readonly details: ErrorDetails | undefined
  readonly retryAfterSeconds: number | undefined
  readonly httpStatus: number

  constructor(init: MillraceErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause })
    this.code = init.code
    this.kind = init.kind
    this.retryable = init.retryable ?? KIND_TRAITS[init.kind].retryable
    this.details = init.details
    this.retryAfterSeconds = init.retryAfterSeconds
    this.httpStatus = init.httpStatus ?? KIND_TRAITS[init.kind].httpStatus
  }
}

/**
 * Whether a caught value is one of our errors. Everything else is a bug or comes from a library and has to be wrapped.
 */
export function isMillraceError(error: unknown): error is MillraceError {
  return error instanceof MillraceError
}
