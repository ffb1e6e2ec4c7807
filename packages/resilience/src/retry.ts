import { coreErrors } from '@millrace/contracts'
import { DelegateBackoff, handleWhen, retry } from 'cockatiel'

export interface RetryConfig {
  /** Attempts in all, including the first. Default 3. */
  readonly attempts?: number
  /** Wait before the second attempt, in ms. Default 100. */
  readonly firstDelayMs?: number
  /** Each wait is longer than the one before by this factor. Default 2. */
  readonly factor?: number
  /** Longest wait, in ms. Default 5,000. */
  readonly delayMsMax?: number
  /** Random share of the wait, 0 to 1: with 0.5 the wait is between half of it and all of it. Default 0.5. */
  readonly jitter?: number
  /** Default: the error's own `retryable`; an open circuit breaker is not retried. */
  readonly isRetryable?: (error: unknown) => boolean
}

export interface RetryDeps {
  /** 0 to 1. Default `Math.random`. */
  readonly random?: () => number
  /** Called before each wait. `attempt` is the number of the failed attempt, from 1. */
  readonly onRetry?: (retry: { attempt: number; delayMs: number; error: unknown }) => void
}

export interface RetryContext {
  /** Number of this attempt, from 1. */
  readonly attempt: number
}

/** Repeats calls that failed for a temporary reason. */
export interface Retry {
  /** Throws the error of the last attempt unchanged. When the signal is aborted, it stops and throws the signal's reason. */
  execute<T>(fn: (context: RetryContext) => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** Whether the error has `retryable: true`. Errors without the property are not retried. */
export function isRetryable(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { retryable?: unknown }).retryable === true
}

function isWorthRetrying(error: unknown): boolean {
  return isRetryable(error) && !coreErrors.DEPENDENCY_CIRCUIT_OPEN.matches(error)
}

/** The wait before attempt `attempt + 1`. If the error has a longer `retryAfterSeconds`, that counts, up to `delayMsMax`. */
export function computeRetryDelayMs(
  attempt: number,
  config: RetryConfig,
  random: () => number,
  error?: unknown,
): number {
  const delayMsMax = config.delayMsMax ?? 5_000
  const full = Math.min(delayMsMax, (config.firstDelayMs ?? 100) * (config.factor ?? 2) ** (attempt - 1))
  const jittered = full * (1 - (config.jitter ?? 0.5) * random())
  return Math.max(jittered, Math.min(delayMsMax, retryAfterMsOf(error)))
}

function retryAfterMsOf(error: unknown): number {
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
  // cockatiel counts retries without the first attempt.
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
