import { slownessFactor, type WaitOptions, waitFor as waitWithDeadline } from '@millrace/local-stack'

/** Long enough for everything that a healthy machine does; short enough that a test notices when it only happens by a slower way. */
const DEADLINE_MS = 10_000

/** A deadline is not scaled beyond it, so that the error of a wait comes before that of Jest's time limit (240 s). */
const SCALED_MS_MAX = 180_000

/** A deadline of a test for the load that this machine has now. See `slownessFactor` of @millrace/local-stack. */
export function scaleDeadline(deadlineMs: number): number {
  return Math.max(deadlineMs, Math.min(deadlineMs * slownessFactor(), SCALED_MS_MAX))
}

/**
 * Calls `condition` again and again until it returns something truthy, and returns that. A condition that throws counts as "not yet". A test whose
 * title promises "at once" gives a deadline far below the time of every other way to the same result.
 * @throws after `deadlineMs` (default 10,000, scaled by the load of the machine), with the condition's last error as its cause
 */
export function waitFor<T>(
  condition: () => T | false | undefined | null | 0 | '' | Promise<T | false | undefined | null | 0 | ''>,
  { deadlineMs = DEADLINE_MS, ...options }: WaitOptions = {},
): Promise<T> {
  return waitWithDeadline(condition, { ...options, deadlineMs: scaleDeadline(deadlineMs) })
}
