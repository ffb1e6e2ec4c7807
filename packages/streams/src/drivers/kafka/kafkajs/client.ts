import type { KafkaConnection } from '../connection.js'
import type { GroupCoordinator } from '../group/group-protocol.js'
import type {
  ClusterDescription,
  GroupOffset,
  KafkaClient,
  KafkaFetcher,
  KafkaMessage,
  PartitionOffsets,
  ProduceOutcome,
  TopicDescription,
} from '../kafka-client.js'
import { KafkajsAdmin } from './admin.js'
import { BrokerNodes } from './broker-nodes.js'
import { KafkajsFetcher } from './fetcher.js'
import { KafkajsGroupCoordinator } from './group-coordinator.js'
import { produce } from './produce.js'

const LIMITS = { connectTimeoutMs: 1_000, metadataTimeoutMs: 1_000 }

/** The client by kafkajs. Produce, fetch and everything else have connections of their own, so that none waits for another. */
class KafkajsClient implements KafkaClient {
  readonly name = 'kafkajs'
  readonly #connection: KafkaConnection
  readonly #producing: BrokerNodes
  readonly #admin: KafkajsAdmin
  readonly #fetchers = new Set<BrokerNodes>()

  constructor(connection: KafkaConnection) {
    this.#connection = connection
    this.#producing = new BrokerNodes(connection, LIMITS)
    this.#admin = new KafkajsAdmin(new BrokerNodes(connection, LIMITS))
  }

  async produce(
    topic: string,
    messages: readonly KafkaMessage[],
    { timeoutMs }: { readonly timeoutMs: number },
  ): Promise<ProduceOutcome[]> {
    if (messages.length === 0) return []
    return await produce(this.#producing, topic, messages, timeoutMs)
  }

  async openFetcher(): Promise<KafkaFetcher> {
    const nodes = new BrokerNodes(this.#connection, LIMITS)
    this.#fetchers.add(nodes)
    return new KafkajsFetcher(nodes, () => this.#fetchers.delete(nodes))
  }

  offsets(topic: string, partitions: readonly number[]): Promise<PartitionOffsets[]> {
    return this.#admin.offsets(topic, partitions)
  }

  offsetAt(topic: string, partition: number, timeMs: number): Promise<number | undefined> {
    return this.#admin.offsetAt(topic, partition, timeMs)
  }

  deleteRecords(topic: string, before: readonly GroupOffset[]): Promise<'deleted' | 'not_permitted'> {
    return this.#admin.deleteRecords(topic, before)
  }

  mayDeleteRecords(topic: string): Promise<boolean> {
    return this.#admin.mayDeleteRecords(topic)
  }

  describeTopic(topic: string): Promise<TopicDescription | undefined> {
    return this.#admin.describeTopic(topic)
  }

  createTopic(topic: string, spec: Parameters<KafkaClient['createTopic']>[1]): Promise<'created' | 'exists'> {
    return this.#admin.createTopic(topic, spec)
  }

  defaultReplicationFactor(): Promise<number | undefined> {
    return this.#admin.defaultReplicationFactor()
  }

  describeCluster(): Promise<ClusterDescription> {
    return this.#admin.describeCluster()
  }

  logBytes(topics: readonly string[]): ReturnType<KafkaClient['logBytes']> {
    return this.#admin.logBytes(topics)
  }

  openCoordinator(topic: string, group: string): GroupCoordinator {
    return new KafkajsGroupCoordinator({ topic, group }, () => new BrokerNodes(this.#connection, LIMITS))
  }

  commitOffsets(group: string, topic: string, offsets: readonly GroupOffset[]): Promise<void> {
    return this.#admin.commitOffsets(group, topic, offsets)
  }

  async close(): Promise<void> {
    this.#producing.close()
    this.#admin.close()
    for (const nodes of this.#fetchers) nodes.close()
  }
}

/** Connects with the first request. */
export function createKafkajsClient(connection: KafkaConnection): KafkaClient {
  return new KafkajsClient(connection)
}
