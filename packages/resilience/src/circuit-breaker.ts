import { coreErrors, isMillraceError } from '@millrace/contracts'
import { CircuitState, CountBreaker } from 'cockatiel'

export type CircuitStateName = 'closed' | 'half_open' | 'open'

export interface CircuitBreakerConfig {
  /** Name of the dependency, for messages and metrics. */
  readonly name: string
  /** The breaker opens at this share of failed calls. Default 0.5. */
  readonly failureRatio?: number
  /** Number of latest calls over which the share is computed; the breaker never opens before that many calls. Default 10. */
  readonly windowCalls?: number
  /** How long the breaker stays open, in ms. Default 30,000. */
  readonly openMs?: number
  /** Number of trial calls at a time while half-open. So many successes close the breaker; one failure opens it again. Default 5. */
  readonly trials?: number
  /** Which errors count as failures of the dependency. Default: our errors of kind `unavailable` or `internal`, and all other errors. */
  readonly isFailure?: (error: unknown) => boolean
  /**
   * A cheap check whether the dependency works again, called with the error that opened the breaker. It runs in the background of a refused call, at
   * most once every `probeMs`; when it resolves, the trials begin at once. Default: none, so the breaker stays open for `openMs`.
   */
  readonly probe?: (error: unknown) => Promise<unknown>
  /** Default 1,000. */
  readonly probeMs?: number
}

export interface CircuitBreakerDeps {
  /** Milliseconds of a clock that only goes forward. Default `performance.now`. */
  readonly now?: () => number
  /** Called once for each transition, after it. Must not throw. */
  readonly onStateChange?: (change: {
    name: string
    from: CircuitStateName
    to: CircuitStateName
    error?: unknown
  }) => void
}

/** Stops calls to a dependency that fails repeatedly. */
export interface CircuitBreaker {
  readonly name: string
  /** Stays `open` after `openMs` until the next call, which becomes the first trial. */
  readonly state: CircuitStateName
  /** Runs `fn`, or throws DEPENDENCY_CIRCUIT_OPEN with `retryAfterSeconds` without running it. */
  execute<T>(fn: () => Promise<T>): Promise<T>
}

export function createCircuitBreaker(config: CircuitBreakerConfig, deps: CircuitBreakerDeps = {}): CircuitBreaker {
  return new TrialCircuitBreaker(config, deps)
}

/** A dependency that rejects a call (invalid, denied, exhausted …) works; a cancelled call says nothing. */
function isDependencyFailure(error: unknown): boolean {
  if (isMillraceError(error))
    return (error.kind === 'unavailable' || error.kind === 'internal') && !coreErrors.CALL_CANCELLED.matches(error)
  return !(error instanceof Error && error.name === 'AbortError')
}

type State =
  | { readonly name: 'closed'; readonly window: CountBreaker }
  | { readonly name: 'open'; readonly until: number; readonly error: unknown; probeAt: number }
  | { readonly name: 'half_open'; readonly startedAt: number; admitted: number; succeeded: number }

/**
 * cockatiel's window of the latest calls under a state machine of our own: cockatiel's half-open state lets a single trial decide, and OPS-2
 * asks for five. A call reports to the state that admitted it, so late answers of an earlier round change nothing.
 */
class TrialCircuitBreaker implements CircuitBreaker {
  readonly name: string
  readonly #windowCalls: number
  readonly #failureRatio: number
  readonly #openMs: number
  readonly #trials: number
  readonly #isFailure: (error: unknown) => boolean
  readonly #probe: CircuitBreakerConfig['probe']
  readonly #probeMs: number
  readonly #now: () => number
  readonly #onStateChange: CircuitBreakerDeps['onStateChange']
  #state: State

  constructor(config: CircuitBreakerConfig, deps: CircuitBreakerDeps) {
    this.name = config.name
    this.#windowCalls = config.windowCalls ?? 10
    this.#failureRatio = config.failureRatio ?? 0.5
    this.#openMs = config.openMs ?? 30_000
    this.#trials = config.trials ?? 5
    this.#isFailure = config.isFailure ?? isDependencyFailure
    this.#probe = config.probe
    this.#probeMs = config.probeMs ?? 1000
    this.#now = deps.now ?? (() => performance.now())
    this.#onStateChange = deps.onStateChange
    this.#state = this.#closed()
  }

  get state(): CircuitStateName {
    return this.#state.name
  }

  async execute<T>(fn: () => Promise<T>): Promise<T> {
    const state = this.#admit()
    try {
      const result = await fn()
      this.#succeeded(state)
      return result
    } catch (error) {
      if (this.#isFailure(error)) this.#failed(state, error)
      else this.#succeeded(state)
      throw error
    }
  }

  #closed(): State {
    // cockatiel opens above its threshold, this breaker at its ratio, so the threshold is half a call lower.
    const threshold = (this.#failureRatio * this.#windowCalls - 0.5) / this.#windowCalls
    return {
      name: 'closed',
      window: new CountBreaker({ threshold, size: this.#windowCalls, minimumNumberOfCalls: this.#windowCalls }),
    }
  }

  #admit(): State {
    const now = this.#now()
    let state = this.#state
    if (state.name === 'closed') return state
    if (state.name === 'open') {
      if (now < state.until) {
        this.#probeInBackground(state, now)
        throw this.#refusal(state.until - now)
      }
      state = this.#halfOpen(now)
    } else if (now - state.startedAt >= this.#openMs) {
      // Trials that never end must not keep the breaker half-open forever: a new round begins.
      state = { name: 'half_open', startedAt: now, admitted: 0, succeeded: 0 }
      this.#state = state
    }
    if (state.name === 'half_open') {
      // Those that have succeeded make room, or a burst right after the recovery would be refused.
      if (state.admitted - state.succeeded >= this.#trials) throw this.#refusal(this.#openMs - (now - state.startedAt))
      state.admitted++
    }
    return state
  }

  #halfOpen(startedAt: number): State {
    return this.#enter({ name: 'half_open', startedAt, admitted: 0, succeeded: 0 })
  }

  /** The refused caller does not wait for the probe. While a probe hangs, no other one starts until the breaker's time is over. */
  #probeInBackground(state: State & { name: 'open' }, now: number): void {
    if (this.#probe === undefined || now < state.probeAt) return
    state.probeAt = state.until
    this.#probe(state.error).then(
      () => {
        if (state === this.#state) this.#halfOpen(this.#now())
      },
      () => {
        state.probeAt = this.#now() + this.#probeMs
      },
    )
  }

  #refusal(waitMs: number) {
    return coreErrors.DEPENDENCY_CIRCUIT_OPEN({
      message: `the circuit breaker of ${this.name} is open: calls fail at once until it works again`,
      retryAfterSeconds: Math.max(1, Math.ceil((this.#probe ? Math.min(waitMs, this.#probeMs) : waitMs) / 1000)),
      details: { dependency: this.name },
    })
  }

  #succeeded(state: State): void {
    if (state !== this.#state) return
    if (state.name === 'closed') state.window.success(CircuitState.Closed)
    else if (state.name === 'half_open' && ++state.succeeded >= this.#trials) this.#enter(this.#closed())
  }

  #failed(state: State, error: unknown): void {
    if (state !== this.#state) return
    if (state.name === 'half_open' || (state.name === 'closed' && state.window.failure(CircuitState.Closed))) {
      const now = this.#now()
      this.#enter({ name: 'open', until: now + this.#openMs, error, probeAt: now + this.#probeMs }, error)
    }
  }

  #enter(next: State, error?: unknown): State {
    const from = this.#state.name
    this.#state = next
    this.#onStateChange?.({ name: this.name, from, to: next.name, ...(error === undefined ? {} : { error }) })
    return next
  }
}
