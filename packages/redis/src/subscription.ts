import type { Logger } from '@millrace/logger'
import type { Cluster, Redis } from 'ioredis'
import { computeReconnectDelayMs } from './create-client.js'
import type { RedisConnection, RedisSubscription } from './redis-connection.js'

/** What is subscribed to and who is called. */
export interface SubscriptionPlan {
  readonly channels: readonly string[]
  readonly onMessage: (message: string, channel: string) => void
  readonly onGap: () => void
  readonly pingEveryMs: number
}

interface SubscriptionDeps {
  /** The subscription's own, with ioredis' automatic resubscription switched off. */
  readonly connection: RedisConnection
  readonly logger: Logger
  readonly random: () => number
}

/** Subscribes on every new connection, and again after a pause when the server refuses. */
export class Subscription implements RedisSubscription {
  readonly #plan: SubscriptionPlan
  readonly #deps: SubscriptionDeps
  /** Counts connections, so that the reply to a command of an earlier one is recognised. */
  #connections = 0
  #refusals = 0
  #retry: NodeJS.Timeout | undefined
  readonly #pings: NodeJS.Timeout
  #isClosed = false

  constructor(plan: SubscriptionPlan, deps: SubscriptionDeps) {
    this.#plan = plan
    this.#deps = deps
    const { client, isReady } = deps.connection
    client.on('message', (channel: string, message: string) => {
      if (!this.#isClosed) plan.onMessage(message, channel)
    })
    client.on('ready', () => this.#begin())
    if (isReady) this.#begin()
    this.#pings = setInterval(() => void this.#ping(), plan.pingEveryMs).unref()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#retry)
    clearInterval(this.#pings)
    await this.#deps.connection.close()
  }

  #begin(): void {
    this.#connections++
    void this.#subscribe()
  }

  async #subscribe(): Promise<void> {
    const { connection, logger } = this.#deps
    const current = this.#connections
    clearTimeout(this.#retry)
    try {
      await connection.client.subscribe(...this.#plan.channels)
    } catch (error) {
      // After a lost connection the next one subscribes.
      if (!this.#isCurrent(current) || !connection.isReady) return
      if (this.#refusals === 0)
        logger.warn('redis refuses a subscription, which is tried again', { ...this.#fields, error })
      const delayMs = computeReconnectDelayMs(++this.#refusals, this.#deps.random)
      this.#retry = setTimeout(() => void this.#subscribe(), delayMs).unref()
      return
    }
    if (!this.#isCurrent(current)) return
    if (this.#refusals > 0) logger.info('redis accepts the subscription again', this.#fields)
    this.#refusals = 0
    this.#plan.onGap()
  }

  /** A connection that is dropped silently, as by a firewall, looks alive for hours while no message arrives. */
  async #ping(): Promise<void> {
    const { connection } = this.#deps
    if (!connection.isReady) return
    const current = this.#connections
    try {
      await connection.client.ping()
    } catch {
      if (this.#isCurrent(current) && connection.isReady) connection.client.disconnect(true)
    }
  }

  #isCurrent(connections: number): boolean {
    return !this.#isClosed && connections === this.#connections
  }

  get #fields() {
    return { connection: this.#deps.connection.name, channels: this.#plan.channels }
  }
}

/**
 * Lets a client of one server go to the next known node of a Cluster whenever its connection is lost: every node delivers the messages of all.
 * ioredis' own subscriber of a Cluster says nothing about the connections it has lost, and does not try again when it cannot resubscribe.
 */
export function rotateNodes(client: Redis, cluster: Cluster): void {
  let losses = 0
  client.on('close', () => {
    const nodes = cluster.nodes('all')
    const { host, port } = nodes[++losses % Math.max(1, nodes.length)]?.options ?? {}
    // ioredis reads them at each connection.
    if (host !== undefined && port !== undefined) Object.assign(client.options, { host, port })
  })
}
