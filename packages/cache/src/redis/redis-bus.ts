import type { RedisConnection, RedisSubscription } from '@millrace/redis'

type BusEvent = 'hint' | 'lost' | 'ready'

/**
 * Events about Redis for all namespaces of a cache. `hint`: the log of invalidations may have grown. `lost` and `ready`: the connection for
 * commands was lost, or can be used again.
 */
export class RedisBus {
  readonly channel: string
  readonly #redis: RedisConnection
  readonly #listeners = new Map<string, (event: BusEvent) => void>()
  readonly #subscription: RedisSubscription
  readonly #onReady = () => this.#notifyAll('ready')
  readonly #onClose = () => this.#notifyAll('lost')

  constructor(channel: string, redis: RedisConnection) {
    this.channel = channel
    this.#redis = redis
    redis.client.on('ready', this.#onReady)
    redis.client.on('close', this.#onClose)
    this.#subscription = redis.subscribe([channel], (namespace) => this.#listeners.get(namespace)?.('hint'), {
      name: `${redis.name}-bus`,
      // Messages that were missed are in the log.
      onGap: () => this.#notifyAll('hint'),
    })
  }

  listen(namespace: string, listener: (event: BusEvent) => void): () => void {
    this.#listeners.set(namespace, listener)
    return () => this.#listeners.delete(namespace)
  }

  async close(): Promise<void> {
    this.#redis.client.off('ready', this.#onReady)
    this.#redis.client.off('close', this.#onClose)
    this.#listeners.clear()
    await this.#subscription.close()
  }

  #notifyAll(event: BusEvent): void {
    for (const listener of this.#listeners.values()) listener(event)
  }
}
