import type { Cluster, Redis } from 'ioredis'
import type { RedisMode } from './redis-config.js'

export interface DuplicateOptions {
  readonly name?: string
  readonly blocking?: boolean
  readonly isLazy?: boolean
}

/**
 * A connection that comes back by itself. Commands sent while it is down fail at once unless the configuration has an offline queue. Errors
 * of commands are ioredis' own; `toRedisError` makes them ours.
 */
export interface RedisConnection {
  /** ioredis' client. In a Cluster, keys of one pipeline or script must share a hash tag. */
  readonly client: Redis | Cluster
  readonly mode: RedisMode
  readonly name: string
  /** Whether commands can be sent at this moment. */
  readonly isReady: boolean
  /** Servers known: 1 for a single one, all nodes of a Cluster. */
  readonly nodeCount: number
  /** Time of a PING in ms; throws when there is no answer. */
  ping(): Promise<number>
  /** For `lifecycle.ready`: throws REDIS_UNAVAILABLE or REDIS_TIMEOUT. */
  check(): Promise<void>
  /** The fields of INFO; in a Cluster those of one of its primaries. */
  info(section?: string): Promise<Readonly<Record<string, string>>>
  /**
   * Another connection with the same settings, `blocking` for commands that wait on the server. It is closed on its own. With `isLazy` false it
   * is waited for although this one was not.
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
  /** Lets commands under way finish, for at most 2 s, and closes. May be called twice. */
  close(): Promise<void>
}

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

export interface RedisSubscription {
  /** Ends the subscription and its connection; neither callback is called from then on. May be called twice. */
  close(): Promise<void>
}
