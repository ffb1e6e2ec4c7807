import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { isMillraceError } from '@millrace/contracts'
import { errors } from '../errors.js'

/** In order: the gateway answered; the receipt is settled with the event stored; a query finds it. */
export type Hop = 'accepted' | 'stored' | 'visible'

export interface ProbeResult {
  readonly startedAtMs: number
  /** Time from sending to each hop that was reached. */
  readonly hopsMs: Partial<Readonly<Record<Hop, number>>>
  readonly failure: { readonly hop: Hop; readonly reason: string } | undefined
}

/** One synthetic event. Users take turns, so that all partitions are tried. */
export interface ProbeEvent {
  readonly messageId: string
  readonly event: string
  readonly userId: string
  readonly timestamp: string
}

export interface ProbeTarget {
  /** Posts the event; returns its receipt. */
  post(event: ProbeEvent, signal: AbortSignal): Promise<string>
  /** Whether the records of a receipt are settled, and how many were stored. */
  readReceipt(receipt: string, signal: AbortSignal): Promise<{ isSettled: boolean; stored: number }>
  /** Whether a query finds the event. */
  isVisible(event: ProbeEvent, signal: AbortSignal): Promise<boolean>
}

const PROBE_EVENT = '$probe'
const USERS = 64
const POLL_MS = 20

/** Sends one event through the whole pipeline and measures each step. Never rejects; fails after `timeoutMs`. */
export function createProbe({ timeoutMs }: { readonly timeoutMs: number }, target: ProbeTarget) {
  let turn = 0
  return async function probe(stopping: AbortSignal): Promise<ProbeResult> {
    const startedAtMs = Date.now()
    const startedAt = performance.now()
    // AbortSignal.timeout does not work here: AbortSignal.any references it weakly, and a collected signal never fires.
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(), timeoutMs)
    const signal = AbortSignal.any([stopping, late.signal])
    const event: ProbeEvent = {
      messageId: randomUUID(),
      event: PROBE_EVENT,
      userId: `probe-${turn++ % USERS}`,
      timestamp: new Date(startedAtMs).toISOString(),
    }
    const hopsMs: Partial<Record<Hop, number>> = {}
    let hop: Hop = 'accepted'
    const reached = (next: Hop): void => {
      hopsMs[hop] = Math.round((performance.now() - startedAt) * 10) / 10
      hop = next
    }
    try {
      const receipt = await target.post(event, signal)
      reached('stored')
      await until(signal, async () => {
        const { isSettled, stored } = await target.readReceipt(receipt, signal)
        if (isSettled && stored !== 1)
          throw errors.PROBE_FAILED({ message: 'the receipt is settled, but the event is not stored' })
        return isSettled
      })
      reached('visible')
      await until(signal, () => target.isVisible(event, signal))
      reached('visible')
      return { startedAtMs, hopsMs, failure: undefined }
    } catch (error) {
      return { startedAtMs, hopsMs, failure: { hop, reason: reasonOf(error, signal) } }
    } finally {
      clearTimeout(timer)
    }
  }
}

async function until(signal: AbortSignal, isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await delay(POLL_MS, undefined, { signal })
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it took too long'
  if (isMillraceError(error)) return `${error.code}: ${error.message}`
  return error instanceof Error ? error.message : 'unknown error'
}
