import type { Logger } from '@millrace/logger'
import type { RedisConnection } from '@millrace/redis'

type BusEvent = 'hint' | 'lost' | 'ready'

/** News about Redis for all namespaces of a cache: messages of other processes, and the coming and going of the connection. */
export class RedisBus {
  readonly channel: string
  readonly #redis: RedisConnection
  readonly #logger: Logger
  readonly #listeners = new Map<string, (event: BusEvent) => void>()
  readonly #subscriber: Promise<RedisConnection | undefined>
  readonly #onReady = () => this.#tellAll('ready')
  readonly #onClose = () => this.#tellAll('lost')

  constructor(channel: string, redis: RedisConnection, logger: Logger) {
    this.channel = channel
    this.#redis = redis
    this.#logger = logger
    redis.client.on('ready', this.#onReady)
    redis.client.on('close', this.#onClose)
    this.#subscriber = this.#subscribe()
  }

  listen(namespace: string, listener: (event: BusEvent) => void): () => void {
    this.#listeners.set(namespace, listener)
    return () => this.#listeners.delete(namespace)
  }

  async close(): Promise<void> {
    this.#redis.client.off('ready', this.#onReady)
    this.#redis.client.off('close', this.#onClose)
    this.#listeners.clear()
    await (await this.#subscriber)?.close()
  }

  async #subscribe(): Promise<RedisConnection | undefined> {
    try {
      const subscriber = await this.#redis.duplicate({ name: `${this.#redis.name}-bus`, isLazy: true })
      const { client } = subscriber
      client.on('message', (_channel: string, namespace: string) => this.#listeners.get(namespace)?.('hint'))
      const subscribe = () => {
        // What was said while nobody listened is in the log.
        client.subscribe(this.channel).then(
          () => this.#tellAll('hint'),
          (error: Error) => this.#logger.debug('the cache could not subscribe', { error }),
        )
      }
      client.on('ready', subscribe)
      if (subscriber.isReady) subscribe()
      return subscriber
    } catch (error) {
      this.#logger.warn('the cache hears of invalidations only by asking', { error })
      return undefined
    }
  }

  #tellAll(event: BusEvent): void {
    for (const listener of this.#listeners.values()) listener(event)
  }
}
