import { coreErrors } from './core-errors.js'
import { toMillraceError } from './wrap-error.js'

/** A problem document of RFC 9457. Programs use `code`, which is stable; people read `detail`. */
export interface Problem {
  /** `urn:millrace:error:` and the code in lower case. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly retryable: boolean
  /** Identifies the request in the logs. */
  readonly request_id?: string
  readonly trace_id?: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** The media type of a problem document. */
export const PROBLEM_CONTENT_TYPE = 'application/problem+json; charset=utf-8'

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Denied',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Timed out',
  409: 'Conflict',
  413: 'Too large',
  415: 'Unsupported type',
  417: 'Expectation failed',
  422: 'Unprocessable',
  429: 'Too many requests',
  431: 'Headers too large',
  500: 'Internal error',
  503: 'Unavailable',
  504: 'Timed out',
  505: 'Version not supported',
}

/**
 * The problem document of any thrown value. It omits the message and details of internal errors, which may name tables, hosts or personal
 * data, and keeps their code.
 */
export function toProblem(
  error: unknown,
  ids: { requestId?: string | undefined; traceId?: string | undefined } = {},
): Problem {
  const known = toMillraceError(error)
  const isInternal = known.kind === 'internal'
  return {
    type: `urn:millrace:error:${known.code.toLowerCase()}`,
    title: titles[known.httpStatus] ?? 'Error',
    status: known.httpStatus,
    code: known.code,
    detail: isInternal ? coreErrors.INTERNAL().message : known.message,
    retryable: known.retryable,
    ...(ids.requestId === undefined ? {} : { request_id: ids.requestId }),
    ...(ids.traceId === undefined ? {} : { trace_id: ids.traceId }),
    ...(isInternal || known.details === undefined ? {} : { details: known.details }),
  }
}
