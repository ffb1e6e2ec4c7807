import { coreErrors } from '@millrace/contracts'
import { DelegateBackoff, handleWhen, retry } from 'cockatiel'

export interface RetryConfig {
  /** Calls in all, the first one included. Default 3. */
  readonly attempts?: number
  /** Wait before the second call, in ms. Default 100. */
  readonly firstDelayMs?: number
  /** Each further wait is so many times longer. Default 2. */
  readonly factor?: number
  /** No wait is longer, in ms. Default 5,000. */
  readonly delayMsMax?: number
  /** Share of the wait that is left to chance, 0 to 1: 0.5 waits between half of it and all of it. Default 0.5. */
  readonly jitter?: number
  /** Default: the error's own `retryable`, except that an open circuit is not tried again. */
  readonly isRetryable?: (error: unknown) => boolean
}

export interface RetryDeps {
  /** 0 to 1. Default `Math.random`. */
  readonly random?: () => number
  /** Called before each wait. `attempt` is the number of the call that failed, from 1. */
  readonly onRetry?: (retry: { attempt: number; delayMs: number; error: unknown }) => void
}

export interface RetryContext {
  /** Number of this call, from 1. */
  readonly attempt: number
}

/** Calls again what failed for a passing reason (OPS-3). */
export interface Retry {
  /** The last error is thrown as it came. An aborted signal ends the attempts with its reason. */
  execute<T>(fn: (context: RetryContext) => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** True when the error itself says `retryable: true`. Foreign errors say nothing and are not retried. */
export function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { retryable?: unknown }).retryable === true
}

function isWorthRetrying(error: unknown): boolean {
  return isRetryable(error) && !coreErrors.DEPENDENCY_CIRCUIT_OPEN.matches(error)
}

/**
 * The wait before call `attempt + 1`. A longer wait asked for by the error itself (`retryAfterSeconds`) is honoured up to `delayMsMax`.
 */
export function computeRetryDelayMs(
  attempt: number,
  config: RetryConfig,
  random: () => number,
  error?: unknown,
): number {
  const delayMsMax = config.delayMsMax ?? 5_000
  const full = Math.min(delayMsMax, (config.firstDelayMs ?? 100) * (config.factor ?? 2) ** (attempt - 1))
  const jittered = full * (1 - (config.jitter ?? 0.5) * random())
  return Math.max(jittered, Math.min(delayMsMax, askedDelayMs(error)))
}

function askedDelayMs(error: unknown): number {
  const seconds =
    typeof error === 'object' && error !== null
      ? (error as { retryAfterSeconds?: unknown }).retryAfterSeconds
      : undefined
  return typeof seconds === 'number' ? seconds * 1000 : 0
}

export function createRetry(config: RetryConfig = {}, deps: RetryDeps = {}): Retry {
  const random = deps.random ?? Math.random
  const backoff = new DelegateBackoff<{ attempt: number; result: { error: Error } | { value: unknown } }>(
    ({ attempt, result }) => computeRetryDelayMs(attempt, config, random, 'error' in result ? result.error : undefined),
  )
  // cockatiel counts retries, we count calls.
  const cockatiel = retry(handleWhen(config.isRetryable ?? isWorthRetrying), {
    maxAttempts: (config.attempts ?? 3) - 1,
    backoff,
  })
  cockatiel.onRetry((event) => {
    deps.onRetry?.({
      attempt: event.attempt,
      delayMs: event.delay,
      error: 'error' in event ? event.error : event.value,
    })
  })
  return {
    execute: (fn, signal) =>
      cockatiel.execute(async ({ attempt }) => {
        signal?.throwIfAborted()
        return await fn({ attempt: attempt + 1 })
      }, signal),
  }
}
