import { setTimeout as delay } from 'node:timers/promises'
import { type KafkaConnectionSettings, toKafkaConnection } from './connection.js'
import type { KafkaClient, KafkaMessage } from './kafka-client.js'
import { partitionOfKey } from './key-partition.js'

/** A message for other systems that read Kafka. Its key decides the partition. */
export interface TopicMessage {
  readonly key: Buffer
  readonly value: Buffer
  readonly headers: Readonly<Record<string, string>>
}

export interface TopicWriterConfig {
  readonly topic: string
  /** A topic that is missing is created with this number of partitions; one that exists keeps its own. */
  readonly partitions: number
  /** Time limit of one request, ms. Default 5,000. */
  readonly timeoutMs?: number
}

/** As a service's configuration names them. */
export interface TopicWriterSettings extends KafkaConnectionSettings {
  /** Of a topic that is created. Default -1: the default of the brokers. */
  readonly KAFKA_REPLICATION_FACTOR?: number | undefined
  /** Of a topic that is created. Default: 2 when KAFKA_REPLICATION_FACTOR is 3 or more, otherwise the default of the brokers. */
  readonly KAFKA_MIN_INSYNC_REPLICAS?: number | undefined
}

export interface WriteOptions {
  /** Ends the attempts; `write` rejects then. */
  readonly signal: AbortSignal
  /** Called after each attempt that failed, with the reason. The messages that are not stored yet are sent again after a pause. */
  readonly onFailure: (reason: string) => void
}

/** Writes messages of its own to a topic that other systems read, each at least once. */
export interface TopicWriter {
  /** The largest message that the topic takes, bytes of key, value and headers, and 64 for the rest; undefined until the broker was asked. */
  readonly messageBytesMax: number | undefined
  /** Creates the topic if it is missing and reads its number of partitions. `write` does this by itself. Rejects while the broker cannot be reached. */
  prepare(): Promise<void>
  /**
   * Resolves when every message is stored on all in-sync replicas (acks=-1). Goes on trying until then or until the signal aborts. Messages with the same
   * key are stored in the order given; a message may be stored more than once, but never for the first time after a later one of its key. Call it again only
   * after it has ended.
   * @throws Error at once when a message is larger than `messageBytesMax`, which may have changed since the caller read it; others may be stored already
   */
  write(messages: readonly TopicMessage[], options: WriteOptions): Promise<void>
  close(): Promise<void>
}

/** Part of a batch that Kafka adds for each message and each batch at most: lengths, attributes, offsets, checksum. */
const MESSAGE_OVERHEAD_BYTES = 64
const BATCH_OVERHEAD_BYTES = 128
/** A request holds at most this many bytes for a partition, however large batches the topic takes. */
const BATCH_BYTES_MAX = 1024 * 1024
const PAUSE_MS_MIN = 100
const PAUSE_MS_MAX = 5_000
/** How often the number of partitions is read again, since keys move when an operator adds partitions. */
const DESCRIBE_EVERY_MS = 60_000
/** Kafka's default of max.message.bytes, which limits a batch. */
const DEFAULT_BATCH_BYTES = 1_048_588

/** Connects with the first call, so it succeeds while no broker can be reached. */
export async function openTopicWriter(config: TopicWriterConfig, settings: TopicWriterSettings): Promise<TopicWriter> {
  // Loaded only when it is used: kafkajs takes several MB of memory in every process that loads it.
  const { createKafkajsClient } = await import('./kafkajs/client.js')
  return new KafkaTopicWriter(config, { settings, client: createKafkajsClient(toKafkaConnection(settings)) })
}

type TopicClient = Pick<KafkaClient, 'describeTopic' | 'createTopic' | 'produce' | 'close'>

interface Topic {
  readonly partitions: number
  /** The largest batch that the topic takes. */
  readonly batchBytes: number
  readonly readAtMs: number
}

class KafkaTopicWriter implements TopicWriter {
  readonly #config: TopicWriterConfig
  readonly #settings: TopicWriterSettings
  readonly #client: TopicClient
  #topic: Topic | undefined
  #messageBytesMax: number | undefined

  constructor(config: TopicWriterConfig, { settings, client }: { settings: TopicWriterSettings; client: TopicClient }) {
    this.#config = config
    this.#settings = settings
    this.#client = client
  }

  get messageBytesMax(): number | undefined {
    return this.#messageBytesMax
  }

  async prepare(): Promise<void> {
    await this.#describe()
  }

  async write(messages: readonly TopicMessage[], { signal, onFailure }: WriteOptions): Promise<void> {
    let waiting = messages
    let pauseMs = PAUSE_MS_MIN
    let tooLarge: Error | undefined
    while (waiting.length > 0) {
      signal.throwIfAborted()
      try {
        const topic = await this.#fresh()
        tooLarge = findTooLarge(waiting, topic)
        if (tooLarge === undefined) waiting = await this.#attempt(waiting, topic)
        pauseMs = PAUSE_MS_MIN
      } catch (error) {
        if (error instanceof UnstoredMessages) waiting = error.messages
        onFailure(error instanceof Error ? error.message : String(error))
        // The topic may be gone, have another limit, or more partitions.
        this.#topic = undefined
        await delay(pauseMs, undefined, { signal })
        pauseMs = Math.min(2 * pauseMs, PAUSE_MS_MAX)
      }
      if (tooLarge !== undefined) throw tooLarge
    }
  }

  close(): Promise<void> {
    return this.#client.close()
  }

  /**
   * Sends the first batch of each partition and returns what is left. A partition's next batch is sent only after the one before is stored, and a batch is one
   * request, so that a failure in between changes no order.
   * @throws UnstoredMessages when a batch failed
   */
  async #attempt(messages: readonly TopicMessage[], topic: Topic): Promise<readonly TopicMessage[]> {
    const { sent, left } = takeBatches(messages, topic)
    const timestampMs = Date.now()
    const outcomes = await this.#client.produce(
      this.#config.topic,
      sent.map(({ message, partition }): KafkaMessage => ({ ...message, partition, timestampMs })),
      { timeoutMs: this.#config.timeoutMs ?? 5_000 },
    )
    const failed = new Set<number>()
    let cause: Error | undefined
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.kind === 'stored') continue
      failed.add(sent[index]?.partition as number)
      cause = outcome.cause
    }
    if (cause === undefined) return left
    const unstored = new Set(sent.filter(({ partition }) => failed.has(partition)).map(({ message }) => message))
    const leftSet = new Set(left)
    throw new UnstoredMessages(
      cause,
      messages.filter((message) => unstored.has(message) || leftSet.has(message)),
    )
  }

  async #fresh(): Promise<Topic> {
    const topic = this.#topic
    if (topic !== undefined && performance.now() - topic.readAtMs < DESCRIBE_EVERY_MS) return topic
    return await this.#describe()
  }

  async #describe(): Promise<Topic> {
    const { topic, partitions } = this.#config
    let description = await this.#client.describeTopic(topic)
    if (description === undefined) {
      const { KAFKA_REPLICATION_FACTOR: replicationFactor = -1 } = this.#settings
      const minInsync = this.#settings.KAFKA_MIN_INSYNC_REPLICAS ?? (replicationFactor >= 3 ? 2 : undefined)
      const configs = minInsync === undefined ? {} : { 'min.insync.replicas': String(minInsync) }
      await this.#client.createTopic(topic, { partitions, replicationFactor, configs })
      description = await this.#client.describeTopic(topic)
    }
    if (description === undefined) throw new Error(`the topic ${topic} was created, but the brokers do not know it yet`)
    this.#topic = {
      partitions: description.partitions.length,
      batchBytes: Number(description.configs['max.message.bytes'] ?? DEFAULT_BATCH_BYTES),
      readAtMs: performance.now(),
    }
    this.#messageBytesMax = this.#topic.batchBytes - BATCH_OVERHEAD_BYTES
    return this.#topic
  }
}

function findTooLarge(messages: readonly TopicMessage[], { batchBytes }: Topic): Error | undefined {
  const bytes = Math.max(0, ...messages.map(sizeOf))
  if (bytes <= batchBytes - BATCH_OVERHEAD_BYTES) return undefined
  return new Error(
    `a message of ${bytes} bytes is larger than the topic takes, whose max.message.bytes is ${batchBytes}`,
  )
}

class UnstoredMessages extends Error {
  readonly messages: readonly TopicMessage[]

  constructor(cause: Error, messages: readonly TopicMessage[]) {
    super(cause.message, { cause })
    this.messages = messages
  }
}

interface Placed {
  readonly message: TopicMessage
  readonly partition: number
}

/** The messages that fit into one batch for each partition, in order, and those that come after them. */
function takeBatches(messages: readonly TopicMessage[], topic: Topic): { sent: Placed[]; left: TopicMessage[] } {
  const bytesMax = Math.min(topic.batchBytes, BATCH_BYTES_MAX) - BATCH_OVERHEAD_BYTES
  const used = new Map<number, number>()
  const sent: Placed[] = []
  const left: TopicMessage[] = []
  for (const message of messages) {
    const partition = partitionOfKey(message.key, topic.partitions)
    const before = used.get(partition) ?? 0
    const bytes = before + sizeOf(message)
    // A batch holds at least one message: the broker says what is wrong when even that is too large.
    if (before > 0 && bytes > bytesMax) {
      used.set(partition, Number.POSITIVE_INFINITY)
      left.push(message)
    } else {
      used.set(partition, bytes)
      sent.push({ message, partition })
    }
  }
  return { sent, left }
}

/** The size of a message in a batch, rounded up. */
function sizeOf({ key, value, headers }: TopicMessage): number {
  let bytes = MESSAGE_OVERHEAD_BYTES + key.length + value.length
  for (const [name, text] of Object.entries(headers)) bytes += 10 + name.length + Buffer.byteLength(text)
  return bytes
}
