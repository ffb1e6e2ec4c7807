import { coreErrors, isMillraceError } from '@millrace/contracts'
import { CircuitState, CountBreaker } from 'cockatiel'

export type CircuitStateName = 'closed' | 'half_open' | 'open'

export interface CircuitBreakerConfig {
  /** Name of the dependency, for messages and metrics. */
  readonly name: string
  /** Share of failed calls that opens the circuit. Default 0.5. */
  readonly failureRatio?: number
  /** Over so many latest calls, and never over fewer. Default 10. */
  readonly windowCalls?: number
  /** How long no call is let through, in ms. Default 30,000. */
  readonly openMs?: number
  /** Trial calls after that. All must succeed to close the circuit; one that fails opens it again. Default 5. */
  readonly trials?: number
  /** Which errors say that the dependency is ill. Default: of ours `unavailable` and `internal`, and every foreign one. */
  readonly isFailure?: (error: unknown) => boolean
  /**
   * A cheap sign of life of a dependency that is back. Asked for behind a call that is refused, once every `probeMs` at most; when it resolves, the
   * trials begin at once. Has the error that opened the circuit. Default: none, so the circuit stays open for `openMs`.
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

/** Keeps calls away from a dependency that keeps failing (OPS-2). */
export interface CircuitBreaker {
  readonly name: string
  /** `open` also after `openMs`, until a call comes and becomes the first trial. */
  readonly state: CircuitStateName
  /** Runs `fn`, or throws DEPENDENCY_CIRCUIT_OPEN with `retryAfterSeconds` without running it. */
  execute<T>(fn: () => Promise<T>): Promise<T>
}

export function createCircuitBreaker(config: CircuitBreakerConfig, deps: CircuitBreakerDeps = {}): CircuitBreaker {
  return new TrialCircuitBreaker(config, deps)
}

/** Cancelled calls and refusals (invalid, denied, exhausted…) are answers of a healthy dependency. */
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
    // cockatiel opens above its threshold and we open at it, so the threshold lies half a call below.
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
        this.#lookAfter(state, now)
        throw this.#refusal(state.until - now)
      }
      state = this.#halfOpen(now)
    } else if (now - state.startedAt >= this.#openMs) {
      // Trials that never answer must not hold the circuit half-open for ever: a new round begins.
      state = { name: 'half_open', startedAt: now, admitted: 0, succeeded: 0 }
      this.#state = state
    }
    if (state.name === 'half_open') {
      if (state.admitted >= this.#trials) throw this.#refusal(this.#openMs - (now - state.startedAt))
      state.admitted++
    }
    return state
  }

  #halfOpen(startedAt: number): State {
    return this.#enter({ name: 'half_open', startedAt, admitted: 0, succeeded: 0 })
  }

  /** Never makes the refused caller wait. A probe that hangs holds back the next ones until the circuit's time is over. */
  #lookAfter(state: State & { name: 'open' }, now: number): void {
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
      message: `${this.name} keeps failing and is not called for a while`,
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
