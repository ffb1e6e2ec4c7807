import type { Logger } from '@millrace/logger'
import type { RedisMetrics } from '@millrace/telemetry'
import { Cluster, type Redis } from 'ioredis'
import { type ClientConfig, createClient } from './create-client.js'
import { type RedisConfig, type RedisMode, toTarget } from './redis-config.js'
import type { DuplicateOptions, RedisConnection, RedisSubscription, SubscribeOptions } from './redis-connection.js'
import { redisErrors, toRedisError } from './redis-errors.js'
import { rotateNodes, Subscription } from './subscription.js'

/** What a connection reports to. */
export interface RedisDeps {
  readonly logger: Logger
  readonly metrics?: RedisMetrics | undefined
  /** 0 to 1. Default `Math.random`. */
  readonly random?: () => number
}

const closeTimeoutMs = 2_000
/** Pause before a new try after ioredis has given up. */
const REVIVE_AFTER_MS = 200

/** Connects. Later losses of the connection are logged once each and healed. @throws REDIS_UNAVAILABLE after `connectTimeoutMs` */
export async function openRedis(config: RedisConfig, deps: RedisDeps): Promise<RedisConnection> {
  const connection = new ManagedConnection(config, deps)
  await connection.open()
  return connection
}

class ManagedConnection implements RedisConnection {
  readonly client: Redis | Cluster
  readonly mode: RedisMode
  readonly name: string
  readonly #config: ClientConfig
  readonly #deps: RedisDeps
  #state: 'connecting' | 'up' | 'down' | 'closed' = 'connecting'
  #lastError: Error | undefined
  #revival: NodeJS.Timeout | undefined

  constructor(config: ClientConfig, deps: RedisDeps) {
    this.#config = config
    this.#deps = deps
    this.name = config.name
    this.mode = toTarget(config).mode
    const labels = { connection: config.name }
    const sent = deps.metrics?.commands.with(labels)
    const failed = deps.metrics?.errors.with(labels)
    this.client = createClient(
      config,
      { sent: () => sent?.inc(), failed: () => failed?.inc() },
      deps.random ?? Math.random,
    )
    this.#watch()
  }

  get isReady(): boolean {
    return this.client.status === 'ready'
  }

  get nodeCount(): number {
    return this.client instanceof Cluster ? this.client.nodes('all').length : 1
  }

  async open(): Promise<void> {
    // The first attempt may fail while the client keeps trying; what counts is whether it becomes ready in time.
    this.client.connect().catch((error: Error) => {
      this.#lastError ??= error
    })
    if (this.#config.isLazy === true || this.isReady) return
    const timeoutMs = this.#config.connectTimeoutMs ?? 10_000
    if (await waitForReady(this.client, timeoutMs)) return
    await this.close()
    throw redisErrors.REDIS_UNAVAILABLE({
      message: `redis for ${this.name} could not be reached in ${timeoutMs} ms: ${this.#lastError?.message ?? 'no answer'}`,
      cause: this.#lastError,
    })
  }

  async ping(): Promise<number> {
    const startedAt = performance.now()
    try {
      await this.client.ping()
    } catch (error) {
      throw toRedisError(`pinging redis for ${this.name}`, error)
    }
    return performance.now() - startedAt
  }

  async check(): Promise<void> {
    if (!this.isReady) throw redisErrors.REDIS_UNAVAILABLE({ cause: this.#lastError })
    await this.ping()
  }

  async info(section?: string): Promise<Readonly<Record<string, string>>> {
    const node = this.client instanceof Cluster ? (this.client.nodes('master')[0] ?? this.client) : this.client
    try {
      return parseInfo(section === undefined ? await node.info() : await node.info(section))
    } catch (error) {
      throw toRedisError(`reading INFO of redis for ${this.name}`, error)
    }
  }

  duplicate(options: DuplicateOptions = {}): Promise<RedisConnection> {
    const { name = this.name, blocking = false, isLazy = this.#config.isLazy } = options
    return openRedis({ ...this.#config, name, isBlocking: blocking, isLazy }, this.#deps)
  }

  subscribe(
    channels: readonly string[],
    onMessage: (message: string, channel: string) => void,
    options: SubscribeOptions = {},
  ): RedisSubscription {
    const { name = `${this.name}-subscription`, onGap = () => undefined, pingEveryMs = 10_000 } = options
    const { logger, random = Math.random } = this.#deps
    // Of a Cluster the first address alone: one node delivers the messages of all.
    const [url = ''] = this.#config.url.split(',')
    const config = {
      ...this.#config,
      url,
      clusterEnabled: false,
      name,
      isBlocking: false,
      isLazy: true,
      resubscribes: false,
    }
    const connection = new ManagedConnection(config, this.#deps)
    if (this.client instanceof Cluster) rotateNodes(connection.client as Redis, this.client)
    void connection.open()
    return new Subscription({ channels, onMessage, onGap, pingEveryMs }, { connection, logger, random })
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    const wasUp = this.isReady
    this.#state = 'closed'
    clearTimeout(this.#revival)
    this.#setUp(0)
    if (wasUp && this.#config.isBlocking !== true) await quit(this.client)
    this.client.disconnect()
  }

  /** A client without an 'error' listener ends the process when its server goes away. */
  #watch(): void {
    const { logger, metrics } = this.#deps
    const fields = { connection: this.name, mode: this.mode }
    this.client.on('error', (error: Error) => {
      const isNew = this.#lastError === undefined
      this.#lastError = error
      if (isNew && this.#state === 'connecting') logger.warn('redis cannot be reached yet', { ...fields, error })
    })
    this.client.on('ready', () => {
      if (this.#state === 'closed') return
      if (this.#state === 'down' || this.#lastError !== undefined) logger.info('redis is reachable again', fields)
      this.#state = 'up'
      this.#lastError = undefined
      this.#setUp(1)
    })
    this.client.on('close', () => {
      if (this.#state !== 'up') return
      this.#state = 'down'
      this.#setUp(0)
      logger.warn('the connection to redis was lost', { ...fields, error: this.#lastError })
    })
    // ioredis stops reconnecting when a failover is announced while it asks Sentinel for the primary, or when it is disconnected then.
    this.client.on('end', () => {
      if (this.#state === 'closed') return
      this.#revival = setTimeout(() => void this.client.connect().catch(() => undefined), REVIVE_AFTER_MS)
    })
    this.client.on('reconnecting', () => metrics?.reconnects.with({ connection: this.name }).inc())
  }

  #setUp(value: 0 | 1): void {
    this.#deps.metrics?.up.with({ connection: this.name }).set(value)
  }
}

function waitForReady(client: Redis | Cluster, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isReady: boolean) => {
      clearTimeout(timer)
      client.off('ready', onReady)
      resolve(isReady)
    }
    const onReady = () => settle(true)
    const timer = setTimeout(() => settle(false), timeoutMs)
    client.on('ready', onReady)
  })
}

async function quit(client: Redis | Cluster): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, closeTimeoutMs)
  })
  // A connection that breaks during QUIT is closed as well.
  await Promise.race([
    client.quit().then(
      () => undefined,
      () => undefined,
    ),
    late,
  ])
  clearTimeout(timer)
}

function parseInfo(text: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields[line.slice(0, colon)] = line.slice(colon + 1)
  }
  return fields
}
