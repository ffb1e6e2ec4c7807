import { setTimeout as delay } from 'node:timers/promises'
import { Latencies, type LatencySummary } from './latencies.js'
import type { Numbering } from './numbering.js'
import { RequestTemplate } from './request-template.js'
import { retryAfterSeconds, WireConnection, type WireResponse } from './wire-connection.js'

export interface LoadOptions {
  /** Base URLs of the gateways; connection c begins at url c and goes to the next one after a broken connection. */
  urls: string[]
  writeKey: string
  numbering: Numbering
  /** Events a second, sent by the clock whatever the answers take (open loop). Default: as fast as answers come (closed loop). */
  eventsPerSecond?: number | undefined
  /** No batch is begun later than this; those under way are still carried through. */
  durationMs: number
  /** Time for an answer. Default 30,000. */
  timeoutMs?: number | undefined
  /** Ceiling for the pause before the same batch is sent again; the pause is what Retry-After asks or 50 ms doubling. Default 1,000. */
  retryPauseMaxMs?: number | undefined
  /** Pause of a connection between an answer and its next batch, in milliseconds, for a closed loop below the limit. Default 0. */
  thinkMs?: number | undefined
  /** Called after each acknowledgement with the number of batches acknowledged on all connections. */
  onAcknowledged?: ((batches: number) => void) | undefined
  /** Ends the load early. */
  signal?: AbortSignal | undefined
  /** Ends the load without waiting for acknowledgements: `runLoad` throws the reason of the signal. */
  giveUp?: AbortSignal | undefined
}

export interface LoadReport {
  /** Batches acknowledged by each connection: connection c sent c, c + connections, c + 2 connections, … and all were acknowledged. */
  batches: number[]
  acknowledgedEvents: number
  /** Requests that were sent again because they were not acknowledged. */
  retries: number
  /** Number of answers by status code; "broken" counts requests without an answer. */
  statuses: Record<string, number>
  /** From the scheduled time (open loop) or from the send (closed loop) to the acknowledgement, including retries. */
  acknowledged: LatencySummary
  startedAtMs: number
  endedAtMs: number
}

/** Answers after which the same request is worth sending again. */
const RETRYABLE = new Set([408, 425, 429, 500, 502, 503, 504])

/**
 * Sends numbered events until the time is over. Every batch is sent again until it is acknowledged.
 * @throws when a batch is refused for good or one of its events is.
 */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  const state: LoadState = {
    options,
    startedAt: performance.now(),
    latencies: new Latencies(),
    statuses: {},
    retries: 0,
    acknowledged: 0,
    batches: new Array<number>(options.numbering.connections).fill(0),
  }
  const { giveUp } = options
  giveUp?.addEventListener('abort', () => {
    state.failure ??= giveUp.reason as Error
  })
  const startedAtMs = Date.now()
  const lanes = state.batches.map((_, connection) =>
    runLane(state, connection).catch((error: Error) => {
      state.failure ??= error
    }),
  )
  await Promise.all(lanes)
  if (state.failure) throw state.failure
  const sent = state.batches.reduce((sum, count) => sum + count, 0)
  return {
    batches: state.batches,
    acknowledgedEvents: sent * options.numbering.batchEvents,
    retries: state.retries,
    statuses: state.statuses,
    acknowledged: state.latencies.summary(),
    startedAtMs,
    endedAtMs: Date.now(),
  }
}

interface LoadState {
  options: LoadOptions
  startedAt: number
  latencies: Latencies
  statuses: Record<string, number>
  retries: number
  acknowledged: number
  batches: number[]
  /** The first failure of a connection; it ends all of them. */
  failure?: Error
}

async function runLane(state: LoadState, connection: number): Promise<void> {
  const { urls, numbering, writeKey, eventsPerSecond, durationMs, signal, thinkMs } = state.options
  const wire = new LaneConnection(urls, connection)
  const template = new RequestTemplate({ host: 'localhost', key: writeKey, numbering, connection })
  const intervalMs = eventsPerSecond === undefined ? undefined : (numbering.batchEvents / eventsPerSecond) * 1000
  try {
    for (let batch = connection; !signal?.aborted && !state.failure; batch += numbering.connections) {
      const due = intervalMs === undefined ? performance.now() : state.startedAt + batch * intervalMs
      if (due - state.startedAt >= durationMs) return
      const early = due - performance.now()
      if (early > 0) await delay(early)
      await sendUntilAcknowledged(state, wire, template.render(batch, new Date()))
      state.latencies.add(performance.now() - due)
      state.batches[connection] = (state.batches[connection] ?? 0) + 1
      state.options.onAcknowledged?.(++state.acknowledged)
      if (thinkMs) await delay(thinkMs)
    }
  } finally {
    wire.close()
  }
}

async function sendUntilAcknowledged(state: LoadState, wire: LaneConnection, request: Buffer): Promise<void> {
  const { timeoutMs = 30_000, retryPauseMaxMs = 1000 } = state.options
  for (let attempt = 0; !state.failure; attempt++) {
    const answer = await wire.send(request, timeoutMs).catch(() => undefined)
    const status = answer ? String(answer.status) : 'broken'
    state.statuses[status] = (state.statuses[status] ?? 0) + 1
    if (answer?.status === 200) return checkAnswer(answer)
    if (answer && !RETRYABLE.has(answer.status))
      throw new Error(`a batch was refused with ${answer.status}: ${answer.body.slice(0, 500)}`)
    state.retries++
    const wishMs = answer ? (retryAfterSeconds(answer) ?? 0) * 1000 : 0
    await delay(Math.min(retryPauseMaxMs, Math.max(wishMs, 50 * 2 ** Math.min(attempt, 6))))
  }
}

/** A rejected event means a fault of the gateway or of the load, and the number of sent events would be wrong. */
function checkAnswer(answer: WireResponse): void {
  if (answer.body.includes('"rejected":[]')) return
  const { rejected } = JSON.parse(answer.body) as { rejected?: unknown[] }
  if (rejected && rejected.length > 0) throw new Error(`events were rejected: ${JSON.stringify(rejected[0])}`)
}

/** A connection to one of several gateways. When it breaks, the next request goes to the next gateway. */
class LaneConnection {
  private readonly wires: WireConnection[]
  private index: number

  constructor(urls: string[], first: number) {
    this.wires = urls.map((url) => new WireConnection(url))
    this.index = first % urls.length
  }

  async send(request: Buffer, timeoutMs: number): Promise<WireResponse> {
    const wire = this.wires[this.index] as WireConnection
    try {
      return await wire.send(request, timeoutMs)
    } catch (error) {
      this.index = (this.index + 1) % this.wires.length
      throw error
    }
  }

  close(): void {
    for (const wire of this.wires) wire.close()
  }
}
