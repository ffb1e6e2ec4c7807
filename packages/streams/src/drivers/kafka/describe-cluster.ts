import type { StreamCluster } from '../../driver/stream-driver.js'
import type { KafkaClient, TopicDescription } from './kafka-client.js'

/** Replicas from which on one broker may fail without a loss, if min.insync.replicas is 2. */
const REPLICAS_SAFE = 3

/** The brokers and the state of one topic. Brokers that are down are not among the brokers, only among the replicas. */
export async function describeCluster(client: KafkaClient, topic: string): Promise<StreamCluster> {
  const [{ brokers, controller }, description] = await Promise.all([
    client.describeCluster(),
    client.describeTopic(topic),
  ])
  const partitions = description?.partitions ?? []
  const minInsync = Number(description?.configs['min.insync.replicas'] ?? 1)
  const replicas = new Set(partitions.flatMap((partition) => partition.replicas))
  const count = (has: (partition: TopicDescription['partitions'][number]) => boolean) => partitions.filter(has).length
  return {
    brokers,
    controller,
    missingBrokers: [...replicas].filter((id) => !brokers.some((broker) => broker.id === id)).sort((a, b) => a - b),
    partitions: {
      total: partitions.length,
      underReplicated: count(({ isr, replicas }) => isr.length < replicas.length),
      belowMinInsync: count(({ isr }) => isr.length < minInsync),
      offline: count(({ leader }) => leader === undefined),
    },
    problems: description === undefined ? [`the topic ${topic} does not exist`] : problemsOf(description),
  }
}

function problemsOf({ partitions, configs }: TopicDescription): string[] {
  const problems: string[] = []
  const replicas = Math.min(...partitions.map((partition) => partition.replicas.length))
  if (configs['unclean.leader.election.enable'] === 'true')
    problems.push('unclean.leader.election.enable is true: a failover may lose acknowledged events; set it to false')
  if (replicas >= REPLICAS_SAFE && configs['min.insync.replicas'] === '1')
    problems.push('min.insync.replicas is 1: a broker that fails may take acknowledged events with it; set it to 2')
  if (Number(configs['retention.bytes'] ?? -1) >= 0)
    problems.push('retention.bytes is set: brokers may remove events before they are stored; set it to -1')
  const policy = configs['cleanup.policy']
  if (policy !== undefined && policy !== 'delete')
    problems.push(`cleanup.policy is ${policy}: brokers remove events before they are stored; set it to delete`)
  return problems
}
