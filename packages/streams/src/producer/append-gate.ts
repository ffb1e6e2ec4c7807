import { coreErrors } from '@millrace/contracts'
import type { CircuitBreaker } from '@millrace/resilience'
import type { Tracer } from '@millrace/telemetry'
import type { AppendResult, FrameToAppend, StreamDriver } from '../driver/stream-driver.js'
import { originOf } from '../frame/trace-origin.js'
import type { StreamProducerMetrics } from './producer-metrics.js'

/** Why an append was not tried or did not work; `isShut` when the circuit is open. */
export type GateResult = AppendResult | { readonly kind: 'shut'; readonly cause: Error }

interface GateDeps {
  readonly driver: StreamDriver
  readonly breaker: CircuitBreaker
  readonly metrics: StreamProducerMetrics | undefined
  /** Undefined when tracing is off. */
  readonly tracer: Tracer | undefined
}

/** `traces`: of requests in the frame, for the span of the append. */
type TracedFrame = FrameToAppend & { readonly traces?: readonly string[] | undefined }

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

  append(frames: readonly TracedFrame[]): Promise<readonly GateResult[]> {
    return this.#measure(frames, () => this.#deps.breaker.execute(() => this.#appendTraced(frames)))
  }

  /**
   * For whoever keeps nobody waiting: while the circuit is open, asks the stream for a sign of life and sends the frames past it when there is one.
   * The circuit goes by the calls that it lets through, as before.
   */
  async appendPatiently(frames: readonly TracedFrame[]): Promise<readonly GateResult[]> {
    const results = await this.append(frames)
    if (results.some(({ kind }) => kind !== 'shut') || !(await this.#answers())) return results
    return await this.#measure(frames, () => this.#appendTraced(frames))
  }

  #answers(): Promise<boolean> {
    return this.#deps.driver.memory().then(
      () => true,
      () => false,
    )
  }

  async #measure(
    frames: readonly TracedFrame[],
    append: () => Promise<readonly AppendResult[]>,
  ): Promise<readonly GateResult[]> {
    const { metrics } = this.#deps
    const startedAt = performance.now()
    try {
      const results = await append()
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

  #appendTraced(frames: readonly TracedFrame[]): Promise<AppendResult[]> {
    const { tracer, driver } = this.#deps
    if (tracer === undefined) return this.#append(frames)
    const origin = originOf(frames.map(({ traces }) => traces))
    if (origin === undefined) return this.#append(frames)
    const attributes = {
      'messaging.system': driver.name,
      'messaging.destination.name': this.#stream,
      'messaging.operation.type': 'send',
      'messaging.batch.message_count': frames.length,
    }
    return tracer.withSpan(`send ${this.#stream}`, attributes, () => this.#append(frames), {
      kind: 'producer',
      ...origin,
    })
  }

  async #append(frames: readonly FrameToAppend[]): Promise<AppendResult[]> {
    const results = await this.#deps.driver.append(this.#stream, frames)
    if (results.every(({ kind }) => kind === 'unavailable')) throw new NothingHeld(results)
    return results
  }
}
