import {
  type CircuitBreaker,
  type CircuitBreakerConfig,
  type CircuitBreakerDeps,
  createCircuitBreaker,
} from './circuit-breaker.js'
import { createRetry, type RetryConfig, type RetryDeps } from './retry.js'
import { createTimeout } from './timeout.js'

export interface PolicyConfig {
  /** Limit of each single call, in ms. Default: none. */
  readonly timeoutMs?: number
  /** `false` for calls that must not be repeated. Default: OPS-3's figures. */
  readonly retry?: RetryConfig | false
  /** `false` for dependencies that need no breaker. Default: OPS-2's figures. */
  readonly circuitBreaker?: Omit<CircuitBreakerConfig, 'name'> | false
}

export type PolicyDeps = CircuitBreakerDeps &
  Pick<RetryDeps, 'random'> & {
    readonly onRetry?: (retry: { name: string; attempt: number; delayMs: number; error: unknown }) => void
  }

export interface PolicyContext {
  /** Aborted when this call has taken too long or the caller gave up. */
  readonly signal: AbortSignal
  /** Number of this call, from 1. */
  readonly attempt: number
}

/** How one dependency is called: retries around the circuit breaker around the time limit, so every single call counts for the breaker. */
export interface Policy {
  readonly name: string
  /** Undefined when the policy has no breaker. */
  readonly circuitBreaker: CircuitBreaker | undefined
  execute<T>(fn: (context: PolicyContext) => Promise<T>, signal?: AbortSignal): Promise<T>
  /** The same, but answers with `fallback` (a cached or reduced result) when all attempts failed; an error of `fallback` is thrown. */
  executeOr<T>(
    fn: (context: PolicyContext) => Promise<T>,
    fallback: (error: unknown) => Promise<T> | T,
    signal?: AbortSignal,
  ): Promise<T>
}

export function policy(name: string, config: PolicyConfig = {}, deps: PolicyDeps = {}): Policy {
  const breaker =
    config.circuitBreaker === false ? undefined : createCircuitBreaker({ ...config.circuitBreaker, name }, deps)
  const timeout = config.timeoutMs === undefined ? undefined : createTimeout({ name, timeoutMs: config.timeoutMs })
  const { random, onRetry } = deps
  const retry =
    config.retry === false
      ? undefined
      : createRetry(config.retry, {
          ...(random === undefined ? {} : { random }),
          ...(onRetry === undefined ? {} : { onRetry: (event) => onRetry({ name, ...event }) }),
        })

  const callOnce = <T>(
    fn: (context: PolicyContext) => Promise<T>,
    attempt: number,
    signal: AbortSignal | undefined,
  ): Promise<T> => {
    const limited = () =>
      timeout === undefined
        ? fn({ signal: signal ?? new AbortController().signal, attempt })
        : timeout.execute((context) => fn({ signal: context.signal, attempt }), signal)
    return breaker === undefined ? limited() : breaker.execute(limited)
  }
  const execute: Policy['execute'] = (fn, signal) =>
    retry === undefined
      ? callOnce(fn, 1, signal)
      : retry.execute(({ attempt }) => callOnce(fn, attempt, signal), signal)

  return {
    name,
    circuitBreaker: breaker,
    execute,
    async executeOr(fn, fallback, signal) {
      try {
        return await execute(fn, signal)
      } catch (error) {
        return await fallback(error)
      }
    },
  }
}
