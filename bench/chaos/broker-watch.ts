import { EVENTS_STREAM, streamTopic } from '@millrace/contracts'
import {
  type KafkaCluster,
  type KafkaPartition,
  type KafkaServer,
  readPartitions,
  waitFor,
} from '@millrace/local-stack'

/** The leader of each partition of a topic, by partition. -1 is a partition without a leader. */
export type Leaders = ReadonlyMap<number, number>

/** Watches the replicas of the events' topic on all brokers of a cluster. */
export interface BrokerWatch {
  /** By the knowledge of the first broker that answers. */
  leaders(): Promise<Leaders>
  /** Waits until all brokers say that every replica is in sync. */
  untilInSync(): Promise<void>
  /** Waits until all other brokers say that none of the partitions is led by this one. */
  untilLeadsNothing(node: KafkaServer): Promise<void>
  /** Gives each partition back to the first of its replicas, so that every broker leads some. */
  balanceLeaders(): Promise<void>
}

const SYNC_MS = 180_000
const MOVE_MS = 60_000
const TOPIC = streamTopic(EVENTS_STREAM)

export function watchBrokers(cluster: KafkaCluster): BrokerWatch {
  /** Whether the condition holds for the partitions as each of the nodes knows them. */
  const holdsOn = async (nodes: readonly KafkaServer[], condition: (partition: KafkaPartition) => boolean) => {
    const views = await Promise.all(nodes.map((node) => readPartitions(node.internalPort, TOPIC)))
    return views.every((partitions) => partitions.every(condition))
  }
  return {
    leaders: async () => {
      const answers = cluster.nodes.map((node) => readPartitions(node.internalPort, TOPIC))
      return new Map((await Promise.any(answers)).map(({ partition, leader }) => [partition, leader]))
    },
    untilInSync: async () => {
      const isInSync = () => holdsOn(cluster.nodes, ({ replicas, inSync }) => inSync.length === replicas.length)
      await waitFor(isInSync, { deadlineMs: SYNC_MS, intervalMs: 100, what: 'all replicas in sync' })
    },
    untilLeadsNothing: async (node) => {
      const others = cluster.nodes.filter((other) => other !== node)
      const hasMoved = () => holdsOn(others, ({ leader }) => leader !== node.nodeId && leader !== -1)
      await waitFor(hasMoved, { deadlineMs: MOVE_MS, intervalMs: 100, what: `other leaders than ${node.name}` })
    },
    balanceLeaders: async () => {
      await cluster.nodes[0]?.tool('kafka-leader-election', '--election-type', 'preferred', '--all-topic-partitions')
    },
  }
}

/** How many partitions have another leader than before. */
export function countMoves(before: Leaders, after: Leaders): number {
  return [...after].filter(([partition, leader]) => before.get(partition) !== leader).length
}
