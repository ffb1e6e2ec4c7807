export {
  type CircuitBreaker,
  type CircuitBreakerConfig,
  type CircuitBreakerDeps,
  type CircuitStateName,
  createCircuitBreaker,
} from './circuit-breaker.js'
export { type Policy, type PolicyConfig, type PolicyContext, type PolicyDeps, policy } from './policy.js'
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
