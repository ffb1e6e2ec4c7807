import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '@millrace/logger'

/** How long a part of a consumer that is being stopped is waited for, in ms. */
export const CLOSE_MS = 5000

/** Waits for `closing`, at most `timeoutMs` (CLOSE_MS): a stream or a database that has stopped answering may never let it end. Never rejects. */
export async function closeInTime(
  closing: Promise<void>,
  {
    action,
    logger,
    timeoutMs = CLOSE_MS,
  }: { readonly action: string; readonly logger: Logger; readonly timeoutMs?: number },
): Promise<void> {
  const closed = new AbortController()
  const late = sleep(timeoutMs, true, { signal: closed.signal }).catch(() => false)
  const done = closing
    .catch((error: unknown) => logger.warn('a consumer could not end a part of its work', { action, error }))
    .then(() => false)
  if (await Promise.race([done, late]))
    logger.warn('a consumer did not end a part of its work in time and leaves it behind', { action })
  closed.abort()
}
