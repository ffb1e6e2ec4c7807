import { defineErrors, isMillraceError, type MillraceError } from '@millrace/contracts'

/** The errors of Redis, as our codes. */
export const redisErrors = defineErrors({
  REDIS_UNAVAILABLE: ['unavailable', 'redis cannot be reached'],
  REDIS_TIMEOUT: ['unavailable', 'redis did not answer in time'],
  REDIS_MEMORY_FULL: ['unavailable', 'redis has reached its memory limit'],
  REDIS_REFUSED: ['internal', 'redis refused the command'],
  REDIS_CONFIG: ['invalid', 'the redis settings are not valid'],
})

/** Replies of a server that is starting, failing over or moving slots: the command was not executed. */
const passingReplies = /^(LOADING|READONLY|CLUSTERDOWN|MASTERDOWN|TRYAGAIN|NOREPLICAS|MISCONF|BUSY|UNBLOCKED)\b/

/**
 * Converts an error of ioredis. `action` is a gerund: "appending a frame". After a lost connection or a time-out the command may or may not have been
 * executed.
 */
export function toRedisError(action: string, error: unknown): MillraceError {
  if (isMillraceError(error)) return error
  const text = error instanceof Error ? error.message : String(error)
  const occurrence = { message: `${action}: ${text}`, cause: error }
  if (text.startsWith('OOM')) return redisErrors.REDIS_MEMORY_FULL(occurrence)
  if (/timed out|ETIMEDOUT/i.test(text))
    return redisErrors.REDIS_TIMEOUT({ message: `${action}: redis did not answer in time`, cause: error })
  const isReply = error instanceof Error && error.name === 'ReplyError'
  if (isReply)
    return passingReplies.test(text) ? redisErrors.REDIS_UNAVAILABLE(occurrence) : redisErrors.REDIS_REFUSED(occurrence)
  // ioredis says what it did with the command ("Stream isn't writeable and enableOfflineQueue options is false"), which tells nobody the cause.
  return redisErrors.REDIS_UNAVAILABLE({ message: `${action}: redis cannot be reached`, cause: error })
}
