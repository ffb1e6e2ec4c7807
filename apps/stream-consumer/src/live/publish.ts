import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'

/**
 * Returns a function that publishes messages without waiting. Messages that cannot be sent are dropped: receivers of
 * commits also read the database, and live counts are only valid for a second.
 */
export function createPublish(
  redis: RedisConnection,
  logger: Logger,
): (channel: string, messages: readonly unknown[]) => void {
  let isFailing = false
  return (channel, messages) => {
    if (!redis.isReady) return
    for (const message of messages) {
      redis.client.publish(channel, JSON.stringify(message)).then(
        () => {
          isFailing = false
        },
        (error: unknown) => {
          if (!isFailing) logger.warn('a message could not be published', { channel, error })
          isFailing = true
        },
      )
    }
  }
}
