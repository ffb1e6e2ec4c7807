/**
 * What members of a group tell each other through the coordinator, in the format of Kafka's own consumers, so that its tools can show it.
 * https://github.com/apache/kafka/tree/4.3/clients/src/main/resources/common/message: ConsumerProtocolSubscription, ConsumerProtocolAssignment
 */

/** What a member says about itself when it joins. */
export interface Subscription {
  readonly topic: string
  /** The partitions that it owns already. */
  readonly owned: readonly number[]
  /** The generation in which it got them; -1 when it owns none. */
  readonly generation: number
}

const SUBSCRIPTION_VERSION = 2
const ASSIGNMENT_VERSION = 0
const NO_BYTES = -1

export function encodeSubscription({ topic, owned, generation }: Subscription): Buffer {
  return Buffer.concat([
    int16(SUBSCRIPTION_VERSION),
    int32(1),
    text(topic),
    int32(NO_BYTES),
    topicPartitions(topic, owned),
    int32(generation),
  ])
}

/** A member that does not say what it owns, or of whose format nothing is known, owns nothing. */
export function decodeSubscription(bytes: Buffer, topic: string): Subscription {
  try {
    const reader = new Reader(bytes)
    const version = reader.int16()
    reader.array(() => reader.text())
    reader.bytes()
    const owned = version >= 1 ? reader.partitionsOf(topic) : []
    return { topic, owned, generation: version >= 2 ? reader.int32() : -1 }
  } catch {
    return { topic, owned: [], generation: -1 }
  }
}

export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  return Buffer.concat([int16(ASSIGNMENT_VERSION), topicPartitions(topic, partitions), int32(NO_BYTES)])
}

/** No partitions when the leader has assigned none. @throws RangeError when the bytes are no assignment. */
export function decodeAssignment(bytes: Buffer, topic: string): number[] {
  if (bytes.length === 0) return []
  const reader = new Reader(bytes)
  reader.int16()
  return reader.partitionsOf(topic)
}

function topicPartitions(topic: string, partitions: readonly number[]): Buffer {
  if (partitions.length === 0) return int32(0)
  return Buffer.concat([int32(1), text(topic), int32(partitions.length), ...partitions.map(int32)])
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}

/** @throws RangeError when the bytes end too early. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  int16(): number {
    this.#at += 2
    return this.#bytes.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#bytes.readInt32BE(this.#at - 4)
  }

  text(): string {
    return this.#raw(this.int16()).toString()
  }

  bytes(): Buffer {
    return this.#raw(Math.max(0, this.int32()))
  }

  array<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.int32(); left > 0; left--) items.push(read())
    return items
  }

  /** The partitions of `topic` in a list of topics with partitions. */
  partitionsOf(topic: string): number[] {
    const topics = this.array(() => ({ topic: this.text(), partitions: this.array(() => this.int32()) }))
    return topics.filter((one) => one.topic === topic).flatMap(({ partitions }) => partitions)
  }

  #raw(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#bytes.length) throw new RangeError('the bytes end too early')
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}
