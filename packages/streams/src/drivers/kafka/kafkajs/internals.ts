import { createRequire } from 'node:module'

/**
 * The parts of kafkajs that its types do not export: the connection to one broker with its handshake, SASL and TLS. kafkajs offers no way to read
 * chosen partitions or to learn the result of each partition of a request, and it has no further releases, so the version is pinned (decision 0041).
 */
const load = createRequire(import.meta.url)

/** A request as kafkajs sends it: `encode` returns the body after the request header; `decode` gets the body after the response header. */
export interface WireRequest<T> {
  readonly request: {
    readonly apiKey: number
    readonly apiVersion: number
    readonly apiName: string
    encode(): Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>
  }
  readonly response: { decode(body: Buffer): Promise<T>; parse(decoded: T): Promise<T> }
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  scheduleCheckPendingRequests(): void
  destroy(): void
}

interface Connection {
  readonly requestQueue: RequestQueue
  socket?: { destroy(error?: Error): void }
  connectionStatus: string
  rejectRequests(error: Error): void
}

interface ConnectionPool {
  readonly pool: readonly Connection[]
  send<T>(request: WireRequest<T>): Promise<T>
}

type Partitioned<T> = readonly { readonly topic: string; readonly partitions: readonly T[] }[]

/** kafkajs' client of one broker. Its requests have no time limit here. */
export interface KafkajsBroker {
  readonly connectionPool: ConnectionPool
  /** What the broker supports, by the key of the request; known after `connect`. */
  readonly versions: Readonly<Record<number, { readonly maxVersion: number }>> | null
  isConnected(): boolean
  connect(): Promise<void>
  disconnect(): Promise<void>
  deleteRecords(request: {
    readonly topics: Partitioned<{ readonly partition: number; readonly offset: string }>
  }): Promise<unknown>
  createTopics(request: { readonly topics: readonly object[]; readonly timeout: number }): Promise<unknown>
  describeConfigs(request: {
    readonly resources: readonly { readonly type: number; readonly name: string }[]
  }): Promise<{
    readonly resources: readonly {
      readonly configEntries: readonly { readonly configName: string; readonly configValue: string }[]
    }[]
  }>
  findGroupCoordinator(request: {
    readonly groupId: string
    readonly coordinatorType: 0
  }): Promise<{ readonly coordinator: { readonly nodeId: number } }>
  offsetCommit(request: {
    readonly groupId: string
    readonly groupGenerationId: -1
    readonly memberId: ''
    readonly retentionTime: -1
    readonly topics: Partitioned<{ readonly partition: number; readonly offset: string }>
  }): Promise<unknown>
}

type KafkajsLogger = object

const Broker = load('kafkajs/src/broker') as new (options: {
  readonly connectionPool: ConnectionPool
  readonly logger: KafkajsLogger
  readonly allowAutoTopicCreation: false
  readonly authenticationTimeout: number
}) => KafkajsBroker
const Pool = load('kafkajs/src/network/connectionPool') as new (options: object) => ConnectionPool
const { createLogger } = load('kafkajs/src/loggers') as {
  createLogger(options: { readonly level: number; readonly logCreator: () => () => void }): KafkajsLogger
}
const createSocketFactory = load('kafkajs/src/network/socketFactory') as () => unknown

/** The driver reports failures itself. */
const logger = createLogger({ level: 0, logCreator: () => () => undefined })

/** How to connect to one broker. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
  readonly clientId: string
  readonly ssl: object | undefined
  readonly sasl: object | undefined
  readonly connectTimeoutMs: number
}

/** A client of one broker, not connected yet. */
export function createBroker({ host, port, clientId, ssl, sasl, connectTimeoutMs }: BrokerAddress): KafkajsBroker {
  const connectionPool = new Pool({
    host,
    port,
    clientId,
    ssl,
    sasl,
    logger,
    socketFactory: createSocketFactory(),
    connectionTimeout: connectTimeoutMs,
    requestTimeout: connectTimeoutMs,
    // The callers limit the time; kafkajs would run a timer of 100 ms on each connection.
    enforceRequestTimeout: false,
  })
  for (const { requestQueue } of connectionPool.pool) checkOnlyWhatWaits(requestQueue)
  return new Broker({
    connectionPool,
    logger,
    allowAutoTopicCreation: false,
    authenticationTimeout: connectTimeoutMs,
  })
}

/** After its first answer kafkajs checks each millisecond for the rest of the connection whether requests wait for their turn, also when none do. */
function checkOnlyWhatWaits(queue: RequestQueue): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue)
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule()
  }
}

/** Sends a request of our own. Requests for `Fetch` have a connection of their own. */
export function sendTo<T>(broker: KafkajsBroker, request: WireRequest<T>): Promise<T> {
  return broker.connectionPool.send(request)
}

/** Ends the connections at once. kafkajs' own `disconnect` waits for answers, which a broker that hangs never gives. */
export function destroyBroker({ connectionPool }: KafkajsBroker, cause: Error): void {
  for (const connection of connectionPool.pool) {
    // While kafkajs connects, only an error of the socket ends its wait and its timer.
    const error = connection.connectionStatus === 'connected' ? undefined : cause
    connection.connectionStatus = 'disconnected'
    connection.rejectRequests(cause)
    connection.requestQueue.destroy()
    connection.socket?.destroy(error)
  }
}
