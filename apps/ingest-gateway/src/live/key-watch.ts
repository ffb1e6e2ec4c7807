import type { KeyManager, Principal } from '@millrace/auth'
import type { Logger } from '@millrace/logger'

/** How long a check may take. A database that hangs must not end streams. */
const CHECK_MS_MAX = 2000

/**
 * Whether the key of a caller is still valid. True when that cannot be found out: then a stream goes on, as requests with a known key do while
 * the database is down.
 */
export async function isKeyValid(
  { tenantId, keyId }: Pick<Principal, 'tenantId' | 'keyId'>,
  { keys, logger }: { keys: Pick<KeyManager, 'isValid'>; logger: Logger },
): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), CHECK_MS_MAX)
  })
  try {
    return await Promise.race([keys.isValid(tenantId, keyId), late])
  } catch (error) {
    logger.debug('the key of a live stream could not be checked', { error })
    return true
  } finally {
    clearTimeout(timer)
  }
}
