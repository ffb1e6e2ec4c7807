import { once } from 'node:events'
import { CHANNELS } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'

const RETRY_MS = 5_000

/** Tells all verifiers. Without Redis they notice when their cached answer ends, 30 s later at most. */
export async function announceKey(redis: RedisConnection | undefined, keyId: string, logger: Logger): Promise<void> {
  try {
    await redis?.client.publish(CHANNELS.apiKeys, keyId)
  } catch (error) {
    logger.warn('a changed key could not be announced: caches notice when their answer ends', { error, key_id: keyId })
  }
}

/**
 * Hears of changed keys until the returned function is called, subscribing as soon as Redis can be reached. `onGap` is called whenever
 * the subscription has begun, because what was announced before went unheard.
 */
export function watchKeys(
  redis: RedisConnection,
  on: { key: (keyId: string) => void; gap: () => void },
): () => Promise<void> {
  let isClosed = false
  let timer: NodeJS.Timeout | undefined
  let subscriber: RedisConnection | undefined
  const subscribe = async (): Promise<void> => {
    const connection = await redis.duplicate({ name: `${redis.name}-keys`, blocking: true })
    if (isClosed) return await connection.close()
    subscriber = connection
    connection.client.on('message', (_channel: string, keyId: string) => on.key(keyId))
    // One that is opened lazily is not up yet, and its commands do not wait.
    if (!connection.isReady) await once(connection.client, 'ready')
    connection.client.on('ready', on.gap)
    await connection.client.subscribe(CHANNELS.apiKeys)
    on.gap()
  }
  const attempt = (): void => {
    running = subscribe().catch(async () => {
      await subscriber?.close()
      subscriber = undefined
      if (!isClosed) timer = setTimeout(attempt, RETRY_MS).unref()
    })
  }
  let running: Promise<void> = Promise.resolve()
  attempt()
  return async () => {
    isClosed = true
    clearTimeout(timer)
    await running
    await subscriber?.close()
  }
}
