import type { CircuitBreaker, CircuitBreakerConfig } from './circuit-breaker.js'
import { createObservedBreaker, type ObservedBreakerDeps } from './observed-breaker.js'
import { createRetry, type RetryConfig, type RetryDeps } from './retry.js'
import { createTimeout } from './timeout.js'

export interface PolicyConfig {
  /** Time limit of each single attempt, in ms. Default: none. */
  readonly timeoutMs?: number
  /** `false` for calls that must not be repeated. Default: three attempts, see RetryConfig. */
  readonly retry?: RetryConfig | false
  /** `false` for dependencies that need no breaker. Default: see CircuitBreakerConfig. */
  readonly circuitBreaker?: Omit<CircuitBreakerConfig, 'name'> | false
}

export type PolicyDeps = ObservedBreakerDeps & Pick<RetryDeps, 'random'>

export interface PolicyContext {
  /** Aborted when this attempt exceeds its time limit or the caller gives up. */
  readonly signal: AbortSignal
  /** Number of this attempt, from 1. */
  readonly attempt: number
}

/** How one dependency is called: retries around the circuit breaker around the time limit, so the breaker counts every single attempt. */
export interface Policy {
  readonly name: string
  /** Undefined when the policy has no breaker. */
  readonly circuitBreaker: CircuitBreaker | undefined
  execute<T>(fn: (context: PolicyContext) => Promise<T>, signal?: AbortSignal): Promise<T>
}

/** A policy for the dependency `name`. Transitions of its breaker are logged and counted, and so are retries. */
export function createPolicy(name: string, config: PolicyConfig, deps: PolicyDeps): Policy {
  const breaker =
    config.circuitBreaker === false ? undefined : createObservedBreaker({ ...config.circuitBreaker, name }, deps)
  const timeout = config.timeoutMs === undefined ? undefined : createTimeout({ name, timeoutMs: config.timeoutMs })
  const { random, metrics } = deps
  const retry =
    config.retry === false
      ? undefined
      : createRetry(config.retry, {
          ...(random === undefined ? {} : { random }),
          onRetry: () => metrics?.retries.with({ name }).inc(),
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
  return {
    name,
    circuitBreaker: breaker,
    execute: (fn, signal) =>
      retry === undefined
        ? callOnce(fn, 1, signal)
        : retry.execute(({ attempt }) => callOnce(fn, attempt, signal), signal),
  }
}
