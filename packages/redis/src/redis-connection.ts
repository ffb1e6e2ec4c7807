import type { Cluster, Redis } from 'ioredis'
import type { RedisMode } from './redis-config.js'

/** Options of a further connection to the same servers. */
export interface DuplicateOptions {
  readonly name?: string
  readonly blocking?: boolean
  readonly isLazy?: boolean
}

/**
 * A connection that reconnects by itself. Commands that are sent while it is down fail at once unless the configuration has an offline queue. Commands
 * reject with ioredis' errors; `toRedisError` converts them.
 */
export interface RedisConnection {
  /** ioredis' client. In a Cluster, keys of one pipeline or script must share a hash tag. */
  readonly client: Redis | Cluster
  readonly mode: RedisMode
  readonly name: string
  /** Whether commands can be sent at this moment. */
  readonly isReady: boolean
  /** Known servers: 1 for a single server, all nodes of a Cluster. */
  readonly nodeCount: number
  /** Duration of a PING in ms. @throws REDIS_UNAVAILABLE or REDIS_TIMEOUT */
  ping(): Promise<number>
  /** For `lifecycle.ready`. @throws REDIS_UNAVAILABLE or REDIS_TIMEOUT */
  check(): Promise<void>
  /** The fields of INFO; in a Cluster of one of its primaries. */
  info(section?: string): Promise<Readonly<Record<string, string>>>
  /**
   * Opens another connection with the same settings, `blocking` for commands that wait on the server. The caller closes it. With `isLazy: false` it
   * waits until it is connected, even if this connection was opened lazily.
   */
  duplicate(options?: DuplicateOptions): Promise<RedisConnection>
  /**
   * Subscribes to `channels` on a connection of its own, from now until it is closed: at once or as soon as Redis can be reached, and again
   * after every lost connection. Never throws and never waits. In a Cluster it moves to another node when its node is lost.
   */
  subscribe(
    channels: readonly string[],
    onMessage: (message: string, channel: string) => void,
    options?: SubscribeOptions,
  ): RedisSubscription
  /** Waits for commands under way, for at most 2 s, and closes. May be called twice. */
  close(): Promise<void>
}

/** Options of a subscription. */
export interface SubscribeOptions {
  /** Name of the subscription's own connection in logs, metrics and CLIENT LIST. Default: the connection's name and "-subscription". */
  readonly name?: string
  /**
   * Called each time the server has confirmed the subscription: when it begins and after every lost connection. Messages published before the
   * call may have been missed, so read anew what they report; messages published after it arrive, until the connection is lost again.
   */
  readonly onGap?: () => void
  /** Time between two PINGs, in ms; a connection that does not answer one in time is replaced. Default 10,000. */
  readonly pingEveryMs?: number
}

/** A subscription that restores itself after a lost connection. */
export interface RedisSubscription {
  /** Ends the subscription and its connection; neither callback is called from then on. May be called twice. */
  close(): Promise<void>
}
