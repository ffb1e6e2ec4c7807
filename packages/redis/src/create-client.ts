import { MINUTE_MS } from '@millrace/contracts'
import { Cluster, type Command, Redis } from 'ioredis'
import { type RedisConfig, type RedisTarget, toTarget } from './redis-config.js'

const firstReconnectMs = 50
const reconnectMsMax = 2_000

/** Doubles from 50 ms to 2 s, shortened by a random part of up to a half, so that many processes do not reconnect at the same time. */
export function computeReconnectDelayMs(attempt: number, random: () => number): number {
  const full = Math.min(reconnectMsMax, firstReconnectMs * 2 ** Math.min(attempt - 1, 16))
  return Math.ceil(full * (1 - random() / 2))
}

/** Counts commands of one connection. */
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
        // A client that sends nothing learns of failovers and moved slots within this time.
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
        sentinelCommandTimeout: config.commandTimeoutMs ?? 5_000,
        ...(config.sentinelPassword === undefined ? {} : { sentinelPassword: config.sentinelPassword }),
        // The primary became a replica: ask Sentinel again. The command fails; it was not executed.
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

/** After this time without traffic the operating system asks whether the server is still there. By default it first asks after two hours. */
const keepAliveMs = 10_000
/** The longest wait that a blocking command may ask the server for, in ms. */
const blockMsMax = 5_000

function commonOptions(config: ClientConfig, { credentials }: RedisTarget) {
  const commandTimeoutMs = config.commandTimeoutMs ?? 5_000
  return {
    ...credentials,
    keepAlive: keepAliveMs,
    // A connection that owes an answer for this long is replaced. A time limit of the command alone would leave it in use: a dead one would let every
    // later command run into its limit, and after a lost answer each command would get the answer of the one before.
    socketTimeout: config.isBlocking === true ? blockMsMax + commandTimeoutMs : commandTimeoutMs,
    connectionName: `millrace:${config.name}`,
    // Redis before 7.2 does not know CLIENT SETINFO, which would count as two failed commands a connection.
    disableClientInfo: true,
    autoResubscribe: config.resubscribes ?? true,
    connectTimeout: Math.min(config.connectTimeoutMs ?? 10_000, 5_000),
    // A command whose connection broke may have been executed, so its caller decides whether to send it again.
    autoResendUnfulfilledCommands: false,
    // 0 rejects commands under way as soon as the connection breaks; null lets them run into their time limit.
    maxRetriesPerRequest: config.hasOfflineQueue === true ? null : 0,
    ...(config.isBlocking === true
      ? { blockingTimeout: MINUTE_MS, blockingTimeoutGrace: 5_000 }
      : { commandTimeout: commandTimeoutMs }),
  }
}

/** Counts in `sendCommand`, which every command passes, also of pipelines; except pipelines in a Cluster. */
function countCommands<Client extends Redis | Cluster>(client: Client, counters: CommandCounters): Client {
  const send = client.sendCommand.bind(client)
  client.sendCommand = (command: Command, ...rest: []) => {
    counters.sent()
    command.promise.then(undefined, counters.failed)
    return send(command, ...rest)
  }
  return client
}
