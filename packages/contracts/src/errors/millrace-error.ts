import { type ErrorKind, kindTraits } from './error-kind.js'

/** Facts that travel with an error: plain JSON values, never secrets or personal data. */
export type ErrorDetails = Readonly<Record<string, unknown>>

export interface MillraceErrorInit {
  /** Stable name in upper snake case. Clients switch on it, so it never changes its meaning. */
  readonly code: string
  readonly kind: ErrorKind
  /** A fact in lower case, without a full stop. */
  readonly message: string
  readonly cause?: unknown
  readonly details?: ErrorDetails | undefined
  /** Default: what the kind says. */
  readonly retryable?: boolean | undefined
  /** When to try again, in seconds; becomes the Retry-After header. */
  readonly retryAfterSeconds?: number | undefined
  /** HTTP status where the kind's own is not precise enough (413, 415). */
  readonly httpStatus?: number | undefined
}

/** The one error class: a failure ends in exactly one named code. Made by the tables of `defineErrors`. */
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
    this.retryable = init.retryable ?? kindTraits[init.kind].retryable
    this.details = init.details
    this.retryAfterSeconds = init.retryAfterSeconds
    this.httpStatus = init.httpStatus ?? kindTraits[init.kind].httpStatus
  }
}

export function isMillraceError(error: unknown): error is MillraceError {
  return error instanceof MillraceError
}
