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
 * A call that failed. `code` is stable: the server's (QUERY_TOO_EXPENSIVE, KEY_INVALID, …), or NETWORK_FAILED when no answer came, TIMED_OUT when
 * it took longer than `timeoutMs`, and INVALID_ANSWER when what came was no JSON.
 */
export class MillraceError extends Error {
  readonly code: string
  /** Of HTTP; 0 when no answer came. */
  readonly status: number
  /** Whether the same call may succeed later. */
  readonly isRetryable: boolean
  /** How long the server asks to wait; undefined when it does not say. */
  readonly retryAfterMs: number | undefined
  /** To be quoted when asking for help. */
  readonly requestId: string | undefined
  /** What the server adds, such as `estimate`, `budget` and `suggestion` of QUERY_TOO_EXPENSIVE. */
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

/** The error of an answer that is not 2xx: a problem document (RFC 9457), or whatever a proxy in between has written. */
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

/** Seconds or a date, as milliseconds from now. */
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
