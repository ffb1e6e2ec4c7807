import type { ErrorKind } from './error-kind.js'
import { type ErrorDetails, isMillraceError, MillraceError } from './millrace-error.js'

/** Kind and message of a code, and, where the defaults of the kind do not fit, HTTP status and whether a retry may help. */
export type ErrorRow = readonly [
  kind: ErrorKind,
  message: string,
  overrides?: { readonly httpStatus?: number; readonly retryable?: boolean },
]

/** What one error adds to the row of its code. */
export interface ErrorOccurrence {
  /** More specific than the message of the table, which it replaces. */
  readonly message?: string
  readonly cause?: unknown
  readonly details?: ErrorDetails
  readonly retryable?: boolean
  readonly retryAfterSeconds?: number
}

/** Creates errors of one code. `matches` says whether a caught value has that code. */
export interface ErrorFactory {
  (occurrence?: ErrorOccurrence): MillraceError
  readonly code: string
  matches(error: unknown): boolean
}

/**
 * Defines the error codes of a package or service. The result has one factory per code.
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
