import { setTimeout as wait } from 'node:timers/promises'
import { isMillraceError } from '@millrace/contracts'

const RETRY_MS_MIN = 50
const RETRY_MS_MAX = 2_000

/**
 * Stores lines that their client has sent for good, and that it does not send again: waits and tries again while the stream takes nothing. The caller reads
 * nothing more meanwhile, so that the client waits too.
 * @throws (rejects with) an error that a later attempt cannot change, or any error after `isStopped` has become true
 */
export async function storeWithRetry(
  store: () => Promise<unknown>,
  { isStopped, onWait }: { readonly isStopped: () => boolean; readonly onWait: () => void },
): Promise<void> {
  for (let waitMs = RETRY_MS_MIN; ; waitMs = Math.min(waitMs * 2, RETRY_MS_MAX)) {
    try {
      await store()
      return
    } catch (error) {
      if (!isMillraceError(error) || !error.retryable || isStopped()) throw error
      onWait()
      await wait(waitMs)
    }
  }
}
