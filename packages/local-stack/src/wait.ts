import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

export interface WaitOptions {
  /** How long to wait at most, in milliseconds. Default: 30,000, multiplied by `slownessFactor()` as far as 180,000. */
  deadlineMs?: number
  /** Pause between two checks of the condition, in milliseconds. Default 20. */
  intervalMs?: number
  /** What the caller waits for, for the error message. */
  what?: string
}

const DEADLINE_MS = 30_000
const DEADLINE_MS_MAX = 180_000
const LOAD_FACTOR_MAX = 12

type Falsy = false | undefined | null | 0 | ''

/**
 * Checks `condition` until it returns something truthy, and returns that. A condition that throws counts as not yet true; after the deadline its last
 * error is the `cause` of the error thrown here.
 */
export async function waitFor<T>(
  condition: () => T | Falsy | Promise<T | Falsy>,
  options: WaitOptions = {},
): Promise<T> {
  const {
    deadlineMs = Math.min(DEADLINE_MS * slownessFactor(), DEADLINE_MS_MAX),
    intervalMs = 20,
    what = 'the condition',
  } = options
  const deadline = Date.now() + deadlineMs
  let lastError: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value) return value
      lastError = undefined
    } catch (error) {
      if (error instanceof StopWaiting) throw error.cause
      lastError = error
    }
    if (Date.now() >= deadline) {
      const reason = lastError instanceof Error ? `: ${lastError.message}` : ''
      throw new Error(`${what} did not come true within ${Math.round(deadlineMs)} ms${reason}`, { cause: lastError })
    }
    await delay(intervalMs)
  }
}

/**
 * How many times longer than usual something may take on this machine now: MILLRACE_WAIT_FACTOR, or without that setting the machine's load per
 * processor, from 1 to 12, so that nothing fails because others use the machine.
 */
export function slownessFactor(): number {
  const set = Number(process.env.MILLRACE_WAIT_FACTOR)
  if (set > 0) return set
  return Math.min(LOAD_FACTOR_MAX, Math.max(1, (loadavg()[0] ?? 0) / availableParallelism()))
}

/** Thrown by a condition to end the wait at once; `waitFor` throws its cause. */
export class StopWaiting extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}
