import { coreErrors } from '@millrace/contracts'
import type { CircuitBreaker } from '@millrace/resilience'
import type { AppendResult, FrameToAppend, StreamDriver } from '../driver/stream-driver.js'
import type { StreamProducerMetrics } from './producer-metrics.js'

/** Why an append was not tried or did not work; `isShut` when the circuit is open. */
export type GateResult = AppendResult | { readonly kind: 'shut'; readonly cause: Error }

interface GateDeps {
  readonly driver: StreamDriver
  readonly breaker: CircuitBreaker
  readonly metrics: StreamProducerMetrics | undefined
}

/** Carries results through the breaker, which only counts what throws. */
class NothingHeld extends Error {
  readonly results: AppendResult[]
  constructor(results: AppendResult[]) {
    super('the stream took none of the frames')
    this.results = results
  }
}

/** Appends behind the circuit breaker. A round trip in which no frame got an answer is a failure of the stream. */
export class AppendGate {
  readonly #stream: string
  readonly #deps: GateDeps

  constructor(stream: string, deps: GateDeps) {
    this.#stream = stream
    this.#deps = deps
  }

  async append(frames: readonly FrameToAppend[]): Promise<readonly GateResult[]> {
    const { driver, breaker, metrics } = this.#deps
    const startedAt = performance.now()
    try {
      const results = await breaker.execute(async () => {
        const results = await driver.append(this.#stream, frames)
        if (results.every(({ kind }) => kind === 'unavailable')) throw new NothingHeld(results)
        return results
      })
      const outcome = results.some(({ kind }) => kind === 'full') ? 'full' : 'held'
      metrics?.appendDuration(outcome).observe((performance.now() - startedAt) / 1000)
      return results
    } catch (error) {
      if (coreErrors.DEPENDENCY_CIRCUIT_OPEN.matches(error)) {
        const cause = error as Error
        return frames.map(() => ({ kind: 'shut', cause }))
      }
      metrics?.appendDuration('unavailable').observe((performance.now() - startedAt) / 1000)
      if (error instanceof NothingHeld) return error.results
      return frames.map(() => ({ kind: 'unavailable', isAmbiguous: true, cause: error as Error }))
    }
  }
}
