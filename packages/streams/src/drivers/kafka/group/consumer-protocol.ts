import { WireReader, WireWriter } from '../wire.js'

/**
 * What members of a group tell each other through the coordinator, in the format of Kafka's own consumers, so that its tools can show it.
 * https://github.com/apache/kafka/tree/4.3/clients/src/main/resources/common/message: ConsumerProtocolSubscription, ConsumerProtocolAssignment
 */

/** What a member says about itself when it joins. */
export interface Subscription {
  readonly topic: string
  /** How many partitions the members with this topic share out, from 0. Undefined when the member does not say it. */
  readonly partitions: number | undefined
  /** The partitions that it owns already. */
  readonly owned: readonly number[]
  /** The generation in which it got them; -1 when it owns none. */
  readonly generation: number
}

const SUBSCRIPTION_VERSION = 2
const ASSIGNMENT_VERSION = 0
const NO_BYTES = -1
const COUNT_BYTES = 4

/** The number of partitions is in the user data, which Kafka's own consumers leave to the assignor. */
export function encodeSubscription({ topic, partitions, owned, generation }: Subscription): Buffer {
  const out = writerFor(topic, owned).int16(SUBSCRIPTION_VERSION).int32(1).string(topic)
  if (partitions === undefined) out.int32(NO_BYTES)
  else out.int32(COUNT_BYTES).int32(partitions)
  return writeTopicPartitions(out, topic, owned).int32(generation).written
}

/** A member that does not say what it owns owns nothing. One of whose format nothing is known counts as a member with `ownTopic`. */
export function decodeSubscription(bytes: Buffer, ownTopic: string): Subscription {
  try {
    const reader = new WireReader(bytes)
    const version = reader.int16()
    const [topic = ownTopic] = reader.array((one) => one.string())
    const userData = reader.bytes()
    const partitions = userData.length >= COUNT_BYTES ? userData.readUInt32BE() : undefined
    const owned = version >= 1 ? readPartitionsOf(reader, topic) : []
    return { topic, partitions, owned, generation: version >= 2 ? reader.int32() : -1 }
  } catch {
    return { topic: ownTopic, partitions: undefined, owned: [], generation: -1 }
  }
}

export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  const out = writerFor(topic, partitions).int16(ASSIGNMENT_VERSION)
  return writeTopicPartitions(out, topic, partitions).int32(NO_BYTES).written
}

/** No partitions when the leader has assigned none. @throws RangeError when the bytes are no assignment. */
export function decodeAssignment(bytes: Buffer, topic: string): number[] {
  if (bytes.length === 0) return []
  const reader = new WireReader(bytes)
  reader.int16()
  return readPartitionsOf(reader, topic)
}

/** Has room for the topic twice, the partitions, and the fields of fixed size. */
function writerFor(topic: string, partitions: readonly number[]): WireWriter {
  return new WireWriter(40 + 2 * Buffer.byteLength(topic) + 4 * partitions.length)
}

function writeTopicPartitions(out: WireWriter, topic: string, partitions: readonly number[]): WireWriter {
  if (partitions.length === 0) return out.int32(0)
  out.int32(1).string(topic).int32(partitions.length)
  for (const partition of partitions) out.int32(partition)
  return out
}

/** The partitions of `topic` in a list of topics with partitions. */
function readPartitionsOf(reader: WireReader, topic: string): number[] {
  const topics = reader.array((one) => ({ topic: one.string(), partitions: one.array((each) => each.int32()) }))
  return topics.filter((one) => one.topic === topic).flatMap(({ partitions }) => partitions)
}
