import { coreErrors } from '@millrace/contracts'
import type { CircuitBreaker } from '@millrace/resilience'
import type { Tracer } from '@millrace/telemetry'
import type { AppendResult, FrameToAppend, StreamDriver } from '../driver/stream-driver.js'
import { originOf } from '../frame/trace-origin.js'
import type { AppendFailure, StreamProducerMetrics } from './producer-metrics.js'

/** The driver's result for a frame, or `circuit_open` when nothing was sent. */
export type SendResult = AppendResult | { readonly kind: 'circuit_open'; readonly cause: Error }

interface FrameSenderDeps {
  readonly driver: StreamDriver
  readonly breaker: CircuitBreaker
  readonly metrics: StreamProducerMetrics | undefined
  /** Undefined when tracing is off. */
  readonly tracer: Tracer | undefined
}

/** `traces`: traceparents of requests in the frame, for the span of the append. */
type TracedFrame = FrameToAppend & { readonly traces?: readonly string[] | undefined }

/** Carries results through the circuit breaker, which counts only errors as failures. */
class NothingHeld extends Error {
  readonly results: AppendResult[]
  constructor(results: AppendResult[]) {
    super('the stream took none of the frames')
    this.results = results
  }
}

/** Appends frames behind the circuit breaker. A round trip counts as failed when no frame in it got an answer. */
export class FrameSender {
  readonly #stream: string
  readonly #deps: FrameSenderDeps

  constructor(stream: string, deps: FrameSenderDeps) {
    this.#stream = stream
    this.#deps = deps
  }

  /** One result a frame, in the given order. Never rejects. */
  send(frames: readonly TracedFrame[]): Promise<readonly SendResult[]> {
    return this.#send(frames, () => this.#deps.breaker.execute(() => this.#appendTraced(frames)))
  }

  /**
   * Like `send`; but when the circuit is open and the stream answers a cheap request, the frames are sent past the breaker. For the spool, whose
   * frames no caller waits for. The breaker does not learn of these appends.
   */
  async sendDespiteOpenCircuit(frames: readonly TracedFrame[]): Promise<readonly SendResult[]> {
    const results = await this.send(frames)
    if (results.some(({ kind }) => kind !== 'circuit_open') || !(await this.#isStreamUp())) return results
    return await this.#send(frames, () => this.#appendTraced(frames))
  }

  #isStreamUp(): Promise<boolean> {
    return this.#deps.driver.memory().then(
      () => true,
      () => false,
    )
  }

  async #send(
    frames: readonly TracedFrame[],
    append: () => Promise<readonly AppendResult[]>,
  ): Promise<readonly SendResult[]> {
    const results = await this.#measure(frames, append)
    for (const result of results) if (result.kind !== 'held') this.#deps.metrics?.appendFailure(failureOf(result)).inc()
    return results
  }

  async #measure(
    frames: readonly TracedFrame[],
    append: () => Promise<readonly AppendResult[]>,
  ): Promise<readonly SendResult[]> {
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
        return frames.map(() => ({ kind: 'circuit_open', cause }))
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

function failureOf(result: Exclude<SendResult, { kind: 'held' }>): AppendFailure {
  if (result.kind !== 'unavailable') return result.kind
  return result.isAmbiguous ? 'no_answer' : 'not_stored'
}
