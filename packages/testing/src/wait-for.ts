import { type WaitOptions, waitFor as waitWithDeadline } from '@millrace/local-stack'

/** Long enough for everything that a healthy machine does; short enough that a test notices when it only happens by a slower way. */
const DEADLINE_MS = 10_000

/** How many times slower than usual this machine is: set it for emulated or overloaded machines. Deadlines that a test gives are scaled too. */
const WAIT_FACTOR = Number(process.env.MILLRACE_WAIT_FACTOR) || 1

/**
 * Calls `condition` again and again until it returns something truthy, and returns that. A condition that throws counts as "not yet". A test whose
 * title promises "at once" gives a deadline far below the time of every other way to the same result.
 * @throws after `deadlineMs` (default 10,000) times MILLRACE_WAIT_FACTOR (default 1), with the condition's last error as its cause
 */
export function waitFor<T>(
  condition: () => T | false | undefined | null | 0 | '' | Promise<T | false | undefined | null | 0 | ''>,
  { deadlineMs = DEADLINE_MS, ...options }: WaitOptions = {},
): Promise<T> {
  return waitWithDeadline(condition, { ...options, deadlineMs: deadlineMs * WAIT_FACTOR })
}
