import type { ErrorKind } from './error-kind.js'
import { type ErrorDetails, isMillraceError, MillraceError } from './millrace-error.js'

/** `[kind, message]`, or with a third element where the kind's HTTP status or its retryability does not fit. */
export type ErrorRow = readonly [
  kind: ErrorKind,
  message: string,
  overrides?: { readonly httpStatus?: number; readonly retryable?: boolean },
]

/** What one occurrence adds to the row of the table. */
export interface ErrorOccurrence {
  /** Replaces the table's message where the occurrence knows more. */
  readonly message?: string
  readonly cause?: unknown
  readonly details?: ErrorDetails
  readonly retryable?: boolean
  readonly retryAfterSeconds?: number
}

/** Makes one error of its code. `code` is the code as a string; `matches` tells whether a caught value carries it. */
export interface ErrorFactory {
  (occurrence?: ErrorOccurrence): MillraceError
  readonly code: string
  matches(error: unknown): boolean
}

/**
 * A closed table of error codes; the result has one factory a code.
 *
 *     export const errors = defineErrors({ STREAM_UNAVAILABLE: ['unavailable', 'the broker did not acknowledge the batch'] })
 *     throw errors.STREAM_UNAVAILABLE({ cause, details: { partition } })
 */
export function defineErrors<Code extends string>(
  table: Readonly<Record<Code, ErrorRow>>,
): Readonly<Record<Code, ErrorFactory>> {
  const factories = {} as Record<Code, ErrorFactory>
  for (const code of Object.keys(table) as Code[]) factories[code] = createFactory(code, table[code])
  return factories
}

function createFactory(code: string, [kind, message, overrides]: ErrorRow): ErrorFactory {
  const factory = (occurrence: ErrorOccurrence = {}) => {
    const error = new MillraceError({ message, ...overrides, ...occurrence, code, kind })
    Error.captureStackTrace(error, factory)
    return error
  }
  return Object.assign(factory, {
    code,
    matches: (error: unknown) => isMillraceError(error) && error.code === code,
  })
}
