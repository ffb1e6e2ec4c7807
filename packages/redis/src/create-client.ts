import { MINUTE_MS } from '@millrace/contracts'
import { Cluster, type Command, Redis } from 'ioredis'
import { type RedisConfig, type RedisTarget, toTarget } from './redis-config.js'

const firstReconnectMs = 50
const reconnectMsMax = 2_000

/** Doubles from 50 ms to 2 s, less up to a half by chance so that many processes do not come back at the same instant. */
export function computeReconnectDelayMs(attempt: number, random: () => number): number {
  const full = Math.min(reconnectMsMax, firstReconnectMs * 2 ** Math.min(attempt - 1, 16))
  return Math.ceil(full * (1 - random() / 2))
}

export interface CommandCounters {
  sent(): void
  failed(): void
}

/** The settings of one client: a connection's own, and what its use inside this package needs. */
export interface ClientConfig extends RedisConfig {
  /** Whether ioredis subscribes again by itself after a reconnection. Default true. */
  readonly resubscribes?: boolean
}

/** A client that is not connected yet and counts its commands. */
export function createClient(config: ClientConfig, counters: CommandCounters, random: () => number): Redis | Cluster {
  return countCommands(createUncounted(config, random), counters)
}

function createUncounted(config: ClientConfig, random: () => number): Redis | Cluster {
  const target = toTarget(config)
  const retryStrategy = (attempt: number) => computeReconnectDelayMs(attempt, random)
  const hasOfflineQueue = config.hasOfflineQueue ?? false
  const common = commonOptions(config, target)
  switch (target.mode) {
    case 'cluster':
      return new Cluster(target.nodes, {
        lazyConnect: true,
        enableOfflineQueue: hasOfflineQueue,
        clusterRetryStrategy: retryStrategy,
        slotsRefreshTimeout: config.commandTimeoutMs ?? 5_000,
        // Announces failovers and moved slots at latest after so long, also to a client that sends nothing.
        slotsRefreshInterval: 5_000,
        redisOptions: common,
      })
    case 'sentinel':
      return new Redis({
        ...common,
        db: target.db,
        sentinels: target.sentinels,
        name: target.masterName,
        failoverDetector: true,
        sentinelRetryStrategy: retryStrategy,
        sentinelReconnectStrategy: retryStrategy,
        ...(config.sentinelPassword === undefined ? {} : { sentinelPassword: config.sentinelPassword }),
        // The primary became a replica: ask the Sentinels again. The command fails and was not executed.
        reconnectOnError: (error) => error.message.startsWith('READONLY'),
        enableOfflineQueue: hasOfflineQueue,
        lazyConnect: true,
        retryStrategy,
      })
    case 'single':
      return new Redis({
        ...common,
        db: target.db,
        ...('path' in target ? { path: target.path } : { host: target.host, port: target.port }),
        enableOfflineQueue: hasOfflineQueue,
        lazyConnect: true,
        retryStrategy,
      })
  }
}

function commonOptions(config: ClientConfig, { credentials }: RedisTarget) {
  return {
    ...credentials,
    connectionName: `millrace:${config.name}`,
    // CLIENT SETINFO is unknown before Redis 7.2 and would count as two failed commands at every connection.
    disableClientInfo: true,
    autoResubscribe: config.resubscribes ?? true,
    connectTimeout: Math.min(config.connectTimeoutMs ?? 10_000, 5_000),
    // A command whose connection broke may have been executed. Who sent it decides whether to send it again.
    autoResendUnfulfilledCommands: false,
    // 0 rejects what is under way as soon as the connection breaks; null lets it run into its time limit.
    maxRetriesPerRequest: config.hasOfflineQueue === true ? null : 0,
    ...(config.isBlocking === true
      ? { blockingTimeout: MINUTE_MS, blockingTimeoutGrace: 5_000 }
      : { commandTimeout: config.commandTimeoutMs ?? 5_000 }),
  }
}

/** Every command of the client itself and of its pipelines goes through `sendCommand`; in a Cluster, pipelines go past it. */
function countCommands<Client extends Redis | Cluster>(client: Client, counters: CommandCounters): Client {
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command: Command, ...rest: []) => {
    counters.sent()
    command.promise.then(undefined, counters.failed)
    return send(command, ...rest)
  }
  return client
}
