import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'

/**
 * Returns a function that publishes messages without waiting. What cannot be sent is dropped: notices only shorten a wait, and live counts are of
 * the moment.
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
          if (!isFailing) logger.warn('a notice could not be published', { channel, error })
          isFailing = true
        },
      )
    }
  }
}
