import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@millrace/logger'

/** How long a client of the stream that is being stopped is waited for, in ms. */
export const CLOSE_MS = 5000

/** Waits for `closing`, at most CLOSE_MS: a client that has stopped answering may never close. Never rejects. */
export async function closeInTime(
  closing: Promise<void>,
  { action, logger }: { readonly action: string; readonly logger: Logger },
): Promise<void> {
  const closed = new AbortController()
  const late = sleep(CLOSE_MS, true, { signal: closed.signal }).catch(() => false)
  const done = closing
    .catch((error: unknown) => logger.warn('a client of the stream could not be closed', { action, error }))
    .then(() => false)
  if (await Promise.race([done, late]))
    logger.warn('a client of the stream did not close in time; its connections are left open', { action })
  closed.abort()
}
