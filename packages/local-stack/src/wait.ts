import { setTimeout as delay } from 'node:timers/promises'

export interface WaitOptions {
  /** How long to wait at most, in milliseconds. Default 60,000: it only matters when something is broken, and a busy machine may be ten times slower than this one. */
  deadlineMs?: number
  /** Pause between two looks, in milliseconds. Default 20. */
  intervalMs?: number
  /** What is waited for, used in the error. */
  what?: string
}

type Falsy = false | undefined | null | 0 | ''

/**
 * Looks again and again until `condition` gives something truthy, and returns that. A throwing condition counts
 * as "not yet"; after the deadline its last error is the `cause` of the error thrown here.
 */
export async function waitFor<T>(
  condition: () => T | Falsy | Promise<T | Falsy>,
  options: WaitOptions = {},
): Promise<T> {
  const { deadlineMs = 60_000, intervalMs = 20, what = 'the condition' } = options
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
      throw new Error(`${what} did not come true within ${deadlineMs} ms${reason}`, { cause: lastError })
    }
    await delay(intervalMs)
  }
}

/** Thrown by a condition to end the waiting at once; `waitFor` throws its cause. */
export class StopWaiting extends Error {
  constructor(cause: Error) {
    super(cause.message, { cause })
  }
}
