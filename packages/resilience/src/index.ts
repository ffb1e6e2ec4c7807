export {
  AnswerWatch,
  type AnswerWatchConfig,
  type AnswerWatchDeps,
  type PendingAnswer,
  PROBE_LIMIT_MS,
} from './answer-watch.js'
export type { CircuitBreaker, CircuitBreakerConfig, CircuitStateName } from './circuit-breaker.js'
export { createObservedBreaker, type ObservedBreakerDeps } from './observed-breaker.js'
export { createPolicy, type Policy, type PolicyConfig, type PolicyContext, type PolicyDeps } from './policy.js'
export {
  computeRetryDelayMs,
  createRetry,
  isRetryable,
  type Retry,
  type RetryConfig,
  type RetryContext,
  type RetryDeps,
} from './retry.js'
export { createTimeout, type Timeout, type TimeoutConfig } from './timeout.js'
