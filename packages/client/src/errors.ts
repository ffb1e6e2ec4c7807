/** What an error of the client is made of. */
export interface MillraceErrorInit {
  readonly code: string
  readonly status: number
  readonly isRetryable: boolean
  readonly retryAfterMs?: number | undefined
  readonly requestId?: string | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
  readonly cause?: unknown
}

/**
 * A failed call. `code` is stable: that of the server, such as QUERY_TOO_EXPENSIVE or KEY_INVALID; NETWORK_FAILED when the server could not be
 * reached, TIMED_OUT when the call took longer than `timeoutMs`, and INVALID_ANSWER when the answer was not JSON.
 */
export class MillraceError extends Error {
  readonly code: string
  /** HTTP status; 0 without an answer. */
  readonly status: number
  /** Whether the same call may succeed later. */
  readonly isRetryable: boolean
  /** How long the server asks to wait before a retry; undefined when it does not say. */
  readonly retryAfterMs: number | undefined
  /** Identifies the request in the logs of the server. */
  readonly requestId: string | undefined
  /** Facts from the server, such as `estimate`, `budget` and `suggestion` of QUERY_TOO_EXPENSIVE. */
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(message: string, init: MillraceErrorInit) {
    super(message, init.cause === undefined ? undefined : { cause: init.cause })
    this.name = 'MillraceError'
    this.code = init.code
    this.status = init.status
    this.isRetryable = init.isRetryable
    this.retryAfterMs = init.retryAfterMs
    this.requestId = init.requestId
    this.details = init.details
  }
}

/** The error in an answer that is not 2xx: a problem document (RFC 9457), or any text from a proxy on the way. */
export async function toError(response: Response): Promise<MillraceError> {
  const problem = parseObject(await response.text().catch(() => ''))
  const { status } = response
  return new MillraceError(textOf(problem.detail) ?? `the server answered ${status}`, {
    code: textOf(problem.code) ?? `HTTP_${status}`,
    status,
    isRetryable: typeof problem.retryable === 'boolean' ? problem.retryable : status === 429 || status === 503,
    retryAfterMs: readRetryAfter(response.headers.get('retry-after')),
    requestId: textOf(problem.request_id),
    details: typeof problem.details === 'object' ? (problem.details as Record<string, unknown>) : undefined,
  })
}

/** Retry-After, which has seconds or a date, in milliseconds from now. */
function readRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
