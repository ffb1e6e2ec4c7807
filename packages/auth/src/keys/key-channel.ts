import { CHANNELS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'

/** Announces a changed key to all key verifiers. Without Redis they notice the change within 30 s, when their cache entry ends. */
export async function announceKey(redis: RedisConnection | undefined, keyId: string, logger: Logger): Promise<void> {
  try {
    await redis?.client.publish(CHANNELS.apiKeys, keyId)
  } catch (error) {
    logger.warn('a changed API key could not be announced; other processes notice it within 30 seconds', {
      error,
      key_id: keyId,
    })
  }
}

/**
 * Reports changed keys until the returned function is called. `on.gap` is called whenever changes may have been missed: when the subscription
 * begins and after every lost connection.
 */
export function watchKeys(
  redis: RedisConnection,
  on: { key: (keyId: string) => void; gap: () => void },
): () => Promise<void> {
  const subscription = redis.subscribe([CHANNELS.apiKeys], on.key, { name: `${redis.name}-keys`, onGap: on.gap })
  return () => subscription.close()
}
