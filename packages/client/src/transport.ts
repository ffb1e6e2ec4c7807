import { type Deadline, pause, startDeadline } from './deadline.js'
import { MillraceError, toError } from './errors.js'

/** What a call may be given besides its question. */
export interface CallOptions {
  /** Ends the call early; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Of the whole call, repetitions included; default that of the client. */
  readonly timeoutMs?: number | undefined
}

export interface TransportConfig {
  readonly url: string
  readonly key: string
  readonly timeoutMs: number
  readonly retries: number
}

export interface TransportDeps {
  readonly fetch: typeof fetch
  /** From 0 to 1. */
  readonly random: () => number
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}

export interface TransportRequest {
  readonly method?: 'GET' | 'POST'
  /** With its query string. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Whether a browser's own cache asks the server before it gives what it has: it does not say how long it has had it. */
  readonly isRevalidated?: boolean
}

/** An answer that was received to its end; `status` is 2xx or 304. */
export interface Received {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** When the request went out, by the monotonic clock of `performance`; of the last one, where it was repeated. */
  readonly askedAtMs: number
}

export interface Transport {
  /** Asks, again after failures of the network and 429 and 503 that may pass. Rejects with MillraceError, or with the reason of the caller's signal. */
  send(request: TransportRequest, options?: CallOptions): Promise<Received>
  /** The answer as soon as its headers are there, asked once. */
  open(request: TransportRequest, signal: AbortSignal): Promise<Response>
}

const BACKOFF_MS = 250
const BACKOFF_MS_MAX = 10_000

/** Milliseconds before the repetition after `attempt` (from 0): doubling from 250 ms to 10 s, the upper half of it by chance; never before the server asks for it. */
export function backoff(attempt: number, retryAfterMs: number | undefined, random: () => number): number {
  const ms = Math.min(BACKOFF_MS * 2 ** attempt, BACKOFF_MS_MAX)
  const jittered = ms / 2 + (ms / 2) * random()
  return retryAfterMs === undefined ? jittered : retryAfterMs + (BACKOFF_MS / 2) * random()
}

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
    const askedAtMs = performance.now()
    const response = await open(request, signal)
    try {
      return { status: response.status, headers: response.headers, text: await response.text(), askedAtMs }
    } catch (cause) {
      throw toNetworkError(cause, signal)
    }
  }

  async function repeat(request: TransportRequest, deadline: Deadline): Promise<Received> {
    for (let attempts = 0; ; attempts++) {
      try {
        return await attempt(request, deadline.signal)
      } catch (error) {
        if (!(error instanceof MillraceError) || !isWorthRepeating(error) || attempts >= config.retries) throw error
        const waitMs = backoff(attempts, error.retryAfterMs, deps.random)
        // Whoever waits gets to know the cause now, and not a time-out later.
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
        return await repeat(request, deadline)
      } finally {
        deadline.close()
      }
    },
  }
}

export const defaultTransportDeps = { random: Math.random, pause } as const

/** Other failures may pass too, and are the caller's to repeat: what a 500 or a broken answer has done is not known. */
function isWorthRepeating({ status, code, isRetryable }: MillraceError): boolean {
  return isRetryable && (status === 429 || status === 503 || code === 'NETWORK_FAILED')
}

/** An aborted fetch rejects with the signal's reason in most engines, and with a DOMException of its own in others. */
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
