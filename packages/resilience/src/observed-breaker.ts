import type { Logger } from '@millrace/logger'
import type { ResilienceMetrics } from '@millrace/telemetry'
import {
  type CircuitBreaker,
  type CircuitBreakerConfig,
  type CircuitStateName,
  createCircuitBreaker,
} from './circuit-breaker.js'

export interface ObservedBreakerDeps {
  readonly logger: Logger
  /** Left out only in tests: a breaker without metrics is invisible to alerts. */
  readonly metrics?: ResilienceMetrics | undefined
  /** Milliseconds of a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number
}

const STATE_VALUES: Readonly<Record<CircuitStateName, number>> = { closed: 0, half_open: 1, open: 2 }

/**
 * The only way to create a circuit breaker outside of this package: each transition is logged and counted, and the state is a metric from the
 * start, also while the breaker is closed.
 */
export function createObservedBreaker(
  config: CircuitBreakerConfig,
  { logger, metrics, now }: ObservedBreakerDeps,
): CircuitBreaker {
  const { name } = config
  const state = metrics?.circuitState.with({ name })
  state?.set(STATE_VALUES.closed)
  return createCircuitBreaker(config, {
    ...(now === undefined ? {} : { now }),
    onStateChange: ({ from, to, error }) => {
      state?.set(STATE_VALUES[to])
      if (to === 'open') metrics?.circuitOpened.with({ name }).inc()
      logger[to === 'open' ? 'warn' : 'info']('the circuit breaker changed its state', { name, from, to, error })
    },
  })
}
