import { DAY_MS } from '@millrace/contracts'
import { waitFor } from '@millrace/local-stack'
import type { Numbering } from '../load/numbering.js'
import { type LoadReport, runLoad } from '../load/run-load.js'
import type { SentLoad } from './check-events.js'

export interface ChaosLoadOptions extends ChaosLoadShape {
  urls: string[]
  writeKey: string
  seed: number
}

/** How much a load sends. */
export interface ChaosLoadShape {
  /** Default 12. */
  connections?: number | undefined
  /** Default 40. */
  batchEvents?: number | undefined
  /** Pause of a connection after each answer, which bounds the load. Default 20 ms: some 10,000 events/s when nothing is broken. */
  thinkMs?: number | undefined
}

/** A client that behaves like an SDK: it sends a batch again, with the same message ids, until it is acknowledged. */
export interface ChaosLoad {
  /** Batches acknowledged so far. */
  acknowledged(): number
  /** Waits until this many more batches are acknowledged. */
  progress(batches: number, deadlineMs?: number): Promise<void>
  /**
   * Ends the load once each connection has its current batch acknowledged. The second call returns the same report.
   * @throws when a batch is not acknowledged within this time, in milliseconds. Default 240,000.
   */
  stop(withinMs?: number): Promise<ChaosReport>
}

export interface ChaosReport extends LoadReport {
  sent: SentLoad
}

/** Longer than any load runs. */
const NEVER_MS = DAY_MS
/** Shorter than the time-out of an SDK, which provokes more repeated requests. */
const ANSWER_TIMEOUT_MS = 5_000
export const ACKNOWLEDGED_WITHIN_MS = 240_000

/** Starts sending in the background. A refused event or batch shows as a rejection of `progress` and `stop`. */
export function startChaosLoad(options: ChaosLoadOptions): ChaosLoad {
  const { urls, writeKey, seed, connections = 12, batchEvents = 40, thinkMs = 20 } = options
  const numbering: Numbering = { seed, batchEvents, connections }
  const abort = new AbortController()
  const giveUp = new AbortController()
  let acknowledged = 0
  let failure: Error | undefined
  const onAcknowledged = (batches: number) => {
    acknowledged = batches
  }
  const running = runLoad({
    urls,
    writeKey,
    numbering,
    thinkMs,
    onAcknowledged,
    signal: abort.signal,
    giveUp: giveUp.signal,
    durationMs: NEVER_MS,
    timeoutMs: ANSWER_TIMEOUT_MS,
    retryPauseMaxMs: 500,
  })
  running.catch((error: Error) => {
    failure = error
  })
  return {
    acknowledged: () => acknowledged,
    progress: async (batches, deadlineMs = 120_000) => {
      const goal = acknowledged + batches
      const what = `the acknowledgement of ${batches} more batches`
      await waitFor(() => failure !== undefined || acknowledged >= goal, { deadlineMs, intervalMs: 10, what })
      if (failure) throw failure
    },
    stop: async (withinMs = ACKNOWLEDGED_WITHIN_MS) => {
      abort.abort()
      const report = await orGiveUp(running, { giveUp, withinMs })
      return { ...report, sent: { numbering, batches: report.batches } }
    },
  }
}

/** What `running` resolves with. Gives it up after `withinMs`, for a stack that does not recover would be asked for ever. */
export async function orGiveUp<T>(
  running: Promise<T>,
  { giveUp, withinMs }: { giveUp: AbortController; withinMs: number },
): Promise<T> {
  const reason = new Error(`a batch was not acknowledged within ${withinMs} ms after the end of the load`)
  const timer = setTimeout(() => giveUp.abort(reason), withinMs)
  try {
    return await running
  } finally {
    clearTimeout(timer)
  }
}
