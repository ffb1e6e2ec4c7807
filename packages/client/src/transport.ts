import { type Deadline, pause, startDeadline } from './deadline.js'
import { MillraceError, toError } from './errors.js'

/** Options of every call. */
export interface CallOptions {
  /** Aborts the call, which then rejects with the reason of the signal. */
  readonly signal?: AbortSignal | undefined
  /** Time limit of the whole call, retries included, in milliseconds. Default: that of the client. */
  readonly timeoutMs?: number | undefined
}

/** Address, key and limits of the transport. */
export interface TransportConfig {
  readonly url: string
  readonly key: string
  readonly timeoutMs: number
  readonly retries: number
}

/** What the transport uses of its platform. */
export interface TransportDeps {
  readonly fetch: typeof fetch
  /** A random number from 0 to 1. */
  readonly random: () => number
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

/** One request, without address and key. */
export interface TransportRequest {
  readonly method?: 'GET' | 'POST' | 'PUT'
  /** Path with query string. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Whether the cache of a browser must revalidate. Without that it would answer from itself and not say how old the answer is. */
  readonly isRevalidated?: boolean
}

/** A completely received answer; `status` is 2xx or 304. */
export interface Received {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** When the request, or its last retry, was sent, by the clock of `performance.now()`. */
  readonly sentAtMs: number
}

/** Sends requests to one gateway. */
export interface Transport {
  /** Sends a request; retries network failures and retryable 429 and 503. Rejects with MillraceError, or with the reason of the caller's signal. */
  send(request: TransportRequest, options?: CallOptions): Promise<Received>
  /** Sends a request once and resolves when the headers of the answer have arrived. */
  open(request: TransportRequest, signal: AbortSignal): Promise<Response>
}

const BACKOFF_MS = 250
const BACKOFF_MS_MAX = 10_000

/** Milliseconds to wait after `attempt` (from 0): doubles from 250 ms to 10 s, with jitter in the upper half, and is never less than Retry-After. */
export function backoff(attempt: number, retryAfterMs: number | undefined, random: () => number): number {
  const ms = Math.min(BACKOFF_MS * 2 ** attempt, BACKOFF_MS_MAX)
  const jittered = ms / 2 + (ms / 2) * random()
  return retryAfterMs === undefined ? jittered : retryAfterMs + (BACKOFF_MS / 2) * random()
}

/** Creates the transport of one gateway and key. */
export function createTransport(config: TransportConfig, deps: TransportDeps): Transport {
  const base = config.url.replace(/\/+$/, '')

  async function open(request: TransportRequest, signal: AbortSignal): Promise<Response> {
    const { method = 'GET', path, body, headers, isRevalidated = false } = request
    let response: Response
    try {
      response = await deps.fetch(`${base}${path}`, {
        method,
        signal,
        ...(isRevalidated ? { cache: 'no-cache' } : {}),
        headers: {
          authorization: `Bearer ${config.key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
    } catch (cause) {
      throw toNetworkError(cause, signal)
    }
    if (response.ok || response.status === 304) return response
    throw await toError(response)
  }

  async function attempt(request: TransportRequest, signal: AbortSignal): Promise<Received> {
    const sentAtMs = performance.now()
    const response = await open(request, signal)
    try {
      return { status: response.status, headers: response.headers, text: await response.text(), sentAtMs }
    } catch (cause) {
      throw toNetworkError(cause, signal)
    }
  }

  async function sendWithRetries(request: TransportRequest, deadline: Deadline): Promise<Received> {
    for (let attempts = 0; ; attempts++) {
      try {
        return await attempt(request, deadline.signal)
      } catch (error) {
        if (!(error instanceof MillraceError) || !shouldRetry(error) || attempts >= config.retries) throw error
        const waitMs = backoff(attempts, error.retryAfterMs, deps.random)
        // The caller gets the cause now instead of a timeout later.
        if (waitMs >= deadline.leftMs()) throw error
        await deps.pause(waitMs, deadline.signal)
      }
    }
  }

  return {
    open,
    async send(request, { signal, timeoutMs = config.timeoutMs } = {}) {
      const deadline = startDeadline(timeoutMs, signal)
      try {
        return await sendWithRetries(request, deadline)
      } finally {
        deadline.close()
      }
    },
  }
}

/** The dependencies outside of tests, except fetch. */
export const defaultTransportDeps = { random: Math.random, pause } as const

/** Other failures may be temporary too, but only the caller can decide to retry: it is unknown what a request did that ended with 500. */
function shouldRetry({ status, code, isRetryable }: MillraceError): boolean {
  return isRetryable && (status === 429 || status === 503 || code === 'NETWORK_FAILED')
}

/** Most engines reject an aborted fetch with the reason of the signal, some with their own DOMException. */
function toNetworkError(cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  const message = cause instanceof Error ? cause.message : String(cause)
  return new MillraceError(`the server could not be reached: ${message}`, {
    code: 'NETWORK_FAILED',
    status: 0,
    isRetryable: true,
    cause,
  })
}
