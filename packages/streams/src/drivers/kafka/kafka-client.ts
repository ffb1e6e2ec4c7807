import type { GroupCoordinator } from './group/group-protocol.js'

/** One message to be stored. Offsets and times are safe integers. */
export interface KafkaMessage {
  readonly partition: number
  readonly key?: Buffer | null
  readonly value: Buffer
  /** Milliseconds since 1970. */
  readonly timestampMs: number
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * What became of a message.
 * - `stored`: all in-sync replicas have it (acks=-1).
 * - `failed`: it was not stored, or (`isAmbiguous`) it may have been stored. `isFull`: the broker has no room for it.
 */
export type ProduceOutcome =
  | { readonly kind: 'stored'; readonly offset: number }
  | { readonly kind: 'failed'; readonly isAmbiguous: boolean; readonly isFull?: boolean; readonly cause: Error }

/** From where a partition is read. */
export interface FetchRequest {
  readonly partition: number
  /** The first offset to return. */
  readonly offset: number
  /** Most bytes to return, approximately: the first batch is always returned whole. */
  readonly bytesMax: number
}

/** A message as it is in the topic. `value` is empty for a message without a value and for a marker of a transaction. */
export interface FetchedMessage {
  readonly offset: number
  readonly timestampMs: number
  readonly value: Buffer
}

/**
 * The answer for one partition. Messages have growing offsets from the requested one on. `nextOffset` is the offset to request next: it lies behind
 * the last message, also where offsets are missing. `moved`: the broker is not the leader; refresh and ask the new leader.
 */
export type FetchedPartition =
  | {
      readonly partition: number
      readonly kind: 'messages'
      readonly messages: readonly FetchedMessage[]
      readonly nextOffset: number
      readonly highWatermark: number
      readonly logStart: number
    }
  | { readonly partition: number; readonly kind: 'moved' }
  | { readonly partition: number; readonly kind: 'out_of_range' }
  | { readonly partition: number; readonly kind: 'failed'; readonly cause: Error }

/** The ends of a partition: `earliest` is the log start, `latest` the high watermark, which is the offset of the next message. */
export interface PartitionOffsets {
  readonly partition: number
  readonly earliest: number
  readonly latest: number
}

/** A topic as the brokers describe it. */
export interface TopicDescription {
  readonly partitions: readonly {
    readonly partition: number
    /** Undefined while there is no leader. */
    readonly leader: number | undefined
    readonly replicas: readonly number[]
    readonly isr: readonly number[]
  }[]
  /** The settings in effect, by name. Empty when this client may not read them. */
  readonly configs: Readonly<Record<string, string>>
}

/** The brokers of a cluster, and how many partitions of all topics lack replicas or a leader. */
export interface ClusterDescription {
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly controller: number | undefined
  readonly underReplicated: number
  readonly offline: number
}

/** The first offsets that are not processed yet. */
export type GroupOffset = { readonly partition: number; readonly offset: number }

/** Reads messages from the leaders of partitions, on connections of its own, so that waiting requests delay nothing else. */
export interface KafkaFetcher {
  /** The leader of each partition; a partition without one is missing. The answer may be old: `refresh` asks the brokers. */
  leaders(topic: string): Promise<ReadonlyMap<number, number>>
  refresh(topic: string): Promise<void>
  /**
   * Asks one broker; it answers at once when it has messages, or after `maxWaitMs`. One answer a partition. Rejects when the broker does not answer
   * within `maxWaitMs` and a fixed limit. Call it again for the same broker after the answer only.
   */
  fetch(
    node: number,
    topic: string,
    requests: readonly FetchRequest[],
    options: { readonly maxWaitMs: number; readonly bytesMax: number },
  ): Promise<FetchedPartition[]>
  close(): Promise<void>
}

/** What the driver needs of a Kafka client library. All methods but `produce` reject when the brokers do not answer in time. */
export interface KafkaClient {
  readonly name: 'kafkajs'
  /**
   * Stores messages with acks=-1 and without idempotence, in the given order within each partition, and returns one outcome a message in the given
   * order. Messages of the same partition are stored together or not at all. Never rejects. Takes at most `timeoutMs` or, where the connection to a
   * broker is slow, a few of its round trips.
   */
  produce(
    topic: string,
    messages: readonly KafkaMessage[],
    options: { readonly timeoutMs: number },
  ): Promise<ProduceOutcome[]>
  openFetcher(): Promise<KafkaFetcher>
  /** Partitions without a leader that answers are missing. Rejects when no partition is left. */
  offsets(topic: string, partitions: readonly number[]): Promise<PartitionOffsets[]>
  /** The first offset whose message has a timestamp at or after `timeMs`; undefined when there is none. */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<number | undefined>
  /** Removes the messages before the offsets. */
  deleteRecords(topic: string, before: readonly GroupOffset[]): Promise<'deleted' | 'not_permitted'>
  /** Whether this client may remove messages of the topic, which need not exist. Default: it may. */
  mayDeleteRecords?(topic: string): Promise<boolean>
  /** Undefined when there is no such topic. */
  describeTopic(topic: string): Promise<TopicDescription | undefined>
  createTopic(
    topic: string,
    spec: {
      readonly partitions: number
      /** -1: the broker's default. */
      readonly replicationFactor: number
      readonly configs: Readonly<Record<string, string>>
    },
  ): Promise<'created' | 'exists'>
  /** The replication factor of topics that are created without one; undefined when this client may not ask. */
  defaultReplicationFactor(): Promise<number | undefined>
  describeCluster(): Promise<ClusterDescription>
  /**
   * Bytes of the topics' replicas on the broker that is closest to its limit; `ceilingBytes` adds the free bytes of its disk. Undefined when this
   * client cannot ask.
   */
  logBytes(
    topics: readonly string[],
  ): Promise<{ readonly usedBytes: number; readonly ceilingBytes?: number } | undefined>
  /** Connects with its first request. The caller closes it. */
  openCoordinator(topic: string, group: string): GroupCoordinator
  /** For a group without members: the broker refuses it while the group has some. */
  commitOffsets(group: string, topic: string, offsets: readonly GroupOffset[]): Promise<void>
  close(): Promise<void>
}
