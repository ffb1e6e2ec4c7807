import type { KafkaConnection } from '../connection.js'
import { within } from '../within.js'
import { CONNECT_MS_MAX, Connector } from './connector.js'
import { isProtocolError, kafkaError } from './error-codes.js'
import { createBroker, destroyBroker, type KafkajsBroker, sendTo, type WireRequest } from './internals.js'
import { type Metadata, metadataRequest } from './requests.js'

/** Leaders and replicas of one topic. */
export type TopicMetadata = Metadata['topics'][number]

/** Limits for one set of connections. */
interface BrokerNodesConfig {
  /** How long a request waits for a connection to its broker, handshake and login included, in ms. Connecting goes on afterwards. */
  readonly connectTimeoutMs: number
  /** Longest time for metadata, in ms. Like all limits of requests it is longer on a slow connection. */
  readonly metadataTimeoutMs: number
}

/** Another broker is asked for metadata when one has not answered for this long, in ms: it may hang. */
const HEDGE_MS = 250
/** Connecting takes one round trip at least, and a request may take this many times as long as connecting took, or as the fastest answer since then. */
const ROUND_TRIPS = 3
/** However slow a connection is, a request has no longer limit than this, in ms, or its own. */
const REQUEST_MS_MAX = 15_000

/**
 * Connections to the brokers of one cluster, and where the leaders of partitions are. A broker that does not answer in time loses its connection, so
 * that no request waits behind it.
 */
export class BrokerNodes {
  readonly #connection: KafkaConnection
  readonly #config: BrokerNodesConfig
  /** By `host:port`. */
  readonly #brokers = new Map<string, KafkajsBroker>()
  readonly #connectors = new Map<string, Connector>()
  readonly #roundTripMs = new WeakMap<KafkajsBroker, number>()
  #addresses = new Map<number, string>()
  #controller = -1
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #refreshing = new Map<string, Promise<TopicMetadata>>()
  #isClosed = false

  constructor(connection: KafkaConnection, config: BrokerNodesConfig) {
    this.#connection = connection
    this.#config = config
  }

  /** The topic as it was when a broker was last asked. @throws Error when there is no such topic */
  async topic(topic: string): Promise<TopicMetadata> {
    return this.#topics.get(topic) ?? (await this.refresh(topic))
  }

  /** The next `topic` asks a broker. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  refresh(topic: string): Promise<TopicMetadata> {
    let refreshing = this.#refreshing.get(topic)
    if (refreshing === undefined) {
      refreshing = this.#refresh(topic).finally(() => this.#refreshing.delete(topic))
      this.#refreshing.set(topic, refreshing)
    }
    return refreshing
  }

  /** Metadata of the given topics or of all (undefined), from the first broker that answers. */
  async metadata(topics: readonly string[] | undefined): Promise<Metadata> {
    const { metadataTimeoutMs } = this.#config
    const metadata = await firstAnswer(this.#candidates(), (address) =>
      this.#call(address, metadataRequest(topics), metadataTimeoutMs),
    )
    this.#addresses = new Map(metadata.brokers.map(({ id, host, port }) => [id, `${host}:${port}`]))
    this.#controller = metadata.controller
    return metadata
  }

  /** All brokers, and the one that takes requests to create topics; -1 while there is none. */
  async cluster(): Promise<{ readonly nodes: readonly number[]; readonly controller: number }> {
    if (this.#addresses.size === 0) await this.metadata([])
    return { nodes: [...this.#addresses.keys()], controller: this.#controller }
  }

  /** A connected broker. @throws Error when it is unknown or cannot be reached in time */
  async connect(node: number): Promise<KafkajsBroker> {
    if (!this.#addresses.has(node)) await this.metadata([])
    const address = this.#addresses.get(node)
    if (node < 0) throw new Error('the cluster has no controller at present')
    if (address === undefined) throw new Error(`broker ${node} is not known`)
    return await this.#connect(address)
  }

  /** Sends one of our requests to a connected broker. */
  send<T>(broker: KafkajsBroker, request: WireRequest<T>, timeoutMs: number): Promise<T> {
    return this.run(broker, () => sendTo(broker, request), timeoutMs, request.request.apiName)
  }

  /** The time limit of a request to this broker: `timeoutMs`, or longer if the connection is slow. */
  limitOf(broker: KafkajsBroker, timeoutMs: number): number {
    const roundTripMs = this.#roundTripMs.get(broker) ?? 0
    return Math.max(timeoutMs, Math.min(REQUEST_MS_MAX, ROUND_TRIPS * roundTripMs))
  }

  /** Runs a request of kafkajs within `limitOf`. Any failure but an error code from the broker ends the connection. */
  async run<T>(broker: KafkajsBroker, call: () => Promise<T>, timeoutMs: number, action: string): Promise<T> {
    const startedAtMs = performance.now()
    try {
      const answer = await within(this.limitOf(broker, timeoutMs), call(), `the request ${action}`)
      const tookMs = performance.now() - startedAtMs
      // A fetch may wait for messages, so only a faster answer says something about the connection.
      if (tookMs < (this.#roundTripMs.get(broker) ?? 0)) this.#roundTripMs.set(broker, tookMs)
      return answer
    } catch (error) {
      if (!isProtocolError(error)) this.#drop(broker, error as Error)
      throw error
    }
  }

  close(): void {
    this.#isClosed = true
    const cause = new Error('the connection is closed')
    for (const connector of this.#connectors.values()) connector.close(cause)
    for (const broker of this.#brokers.values()) destroyBroker(broker, cause)
    this.#brokers.clear()
  }

  async #refresh(topic: string): Promise<TopicMetadata> {
    const metadata = await this.metadata([topic])
    const [found] = metadata.topics
    if (found === undefined || found.errorCode !== 0) {
      this.#topics.delete(topic)
      throw kafkaError(found?.errorCode ?? 3, `the topic ${topic}`)
    }
    this.#topics.set(topic, found)
    return found
  }

  /** Connected brokers first; then the others in random order. */
  #candidates(): string[] {
    const known = new Set([...this.#addresses.values(), ...this.#connection.brokers])
    const order = (address: string) => (this.#brokers.get(address)?.isConnected() ? 0 : 1) + Math.random() / 2
    return [...known]
      .map((address) => [order(address), address] as const)
      .sort(([a], [b]) => a - b)
      .map(([, address]) => address)
  }

  async #call<T>(address: string, request: WireRequest<T>, timeoutMs: number): Promise<T> {
    return await this.send(await this.#connect(address), request, timeoutMs)
  }

  async #connect(address: string): Promise<KafkajsBroker> {
    if (this.#isClosed) throw new Error('the connection is closed')
    const broker = this.#brokers.get(address)
    if (broker?.isConnected()) return broker
    this.#brokers.delete(address)
    let connector = this.#connectors.get(address)
    if (connector === undefined) {
      const create = () => this.#create(address)
      const connected = (found: KafkajsBroker, tookMs: number) => {
        this.#roundTripMs.set(found, tookMs)
        this.#brokers.set(address, found)
      }
      connector = new Connector(address, { create, connected })
      this.#connectors.set(address, connector)
    }
    return await connector.connect(this.#config.connectTimeoutMs, broker)
  }

  #create(address: string): KafkajsBroker {
    const colon = address.lastIndexOf(':')
    const { clientId, tls, sasl } = this.#connection
    return createBroker({
      host: address.slice(0, colon).replace(/^\[(.*)\]$/, '$1'),
      port: Number(address.slice(colon + 1)),
      clientId,
      // Not a copy: each connection reads the files again.
      ssl: tls,
      // kafkajs keeps state in this object.
      sasl: sasl && { ...sasl },
      connectTimeoutMs: CONNECT_MS_MAX,
    })
  }

  #drop(broker: KafkajsBroker, cause: Error): void {
    for (const [address, known] of this.#brokers) if (known === broker) this.#brokers.delete(address)
    destroyBroker(broker, cause)
  }
}

/** Asks one candidate after another: the next one after a failure, or after HEDGE_MS without an answer. Rejects with the last error when all failed. */
function firstAnswer<C, T>(candidates: readonly C[], ask: (candidate: C) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let asked = 0
    let unanswered = 0
    let isAnswered = false
    let timer: NodeJS.Timeout | undefined
    let last: unknown = new Error('no broker is known')
    const askNext = () => {
      clearTimeout(timer)
      if (isAnswered) return
      const candidate = candidates[asked++]
      if (candidate === undefined) {
        if (unanswered === 0) reject(last as Error)
        return
      }
      unanswered++
      timer = setTimeout(askNext, HEDGE_MS)
      ask(candidate).then(
        (answer) => {
          isAnswered = true
          clearTimeout(timer)
          resolve(answer)
        },
        (error: unknown) => {
          unanswered--
          last = error
          askNext()
        },
      )
    }
    askNext()
  })
}
