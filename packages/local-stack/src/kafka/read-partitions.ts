import { askNode } from './ask-node.js'

const API_METADATA = 3
const VERSION = 4

/** A partition of a topic as a broker knows it. Nodes are ids. */
export interface KafkaPartition {
  readonly partition: number
  /** -1 when no broker leads it. */
  readonly leader: number
  readonly replicas: readonly number[]
  /** The replicas that have everything that is acknowledged. */
  readonly inSync: readonly number[]
}

/**
 * The partitions of a topic by the knowledge of the broker that listens on 127.0.0.1:`port` without TLS and login; it lags behind the controller's.
 * A request of our own, because Kafka clients ask whichever broker answers, Kafka's tools start a JVM for each question, and this package must not
 * depend on streams.
 * @throws when the broker does not answer, or does not know the topic.
 */
export async function readPartitions(port: number, topic: string): Promise<KafkaPartition[]> {
  const reply = new Reply(await askNode(port, metadataRequest(topic)))
  reply.skip(4 + 4)
  reply.list(() => {
    reply.skip(4)
    reply.text()
    reply.skip(4)
    reply.text()
  })
  reply.text()
  reply.skip(4)
  const topics = reply.list(() => {
    const error = reply.int16()
    reply.text()
    reply.skip(1)
    return { error, partitions: reply.list(() => readPartition(reply)) }
  })
  const [found] = topics
  if (found?.error !== 0)
    throw new Error(`the broker on port ${port} does not describe the topic ${topic} (error ${found?.error})`)
  return found.partitions.sort((a, b) => a.partition - b.partition)
}

function readPartition(reply: Reply): KafkaPartition {
  reply.skip(2)
  return {
    partition: reply.int32(),
    leader: reply.int32(),
    replicas: reply.list(() => reply.int32()),
    inSync: reply.list(() => reply.int32()),
  }
}

/** For one topic, which is not created. */
function metadataRequest(topic: string): Buffer {
  const header = Buffer.from([0, API_METADATA, 0, VERSION, 0, 0, 0, 1, 0xff, 0xff])
  const name = Buffer.from(topic)
  const size = Buffer.alloc(2)
  size.writeInt16BE(name.length)
  return Buffer.concat([header, Buffer.from([0, 0, 0, 1]), size, name, Buffer.from([0])])
}

/** Reads values one after another. */
class Reply {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  /** Skips a text, which may be null. */
  text(): void {
    this.skip(Math.max(0, this.int16()))
  }

  list<T>(item: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, item)
  }
}
