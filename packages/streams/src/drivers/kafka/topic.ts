import { setTimeout as sleep } from 'node:timers/promises'
import { streamErrors } from '../../errors.js'
import type { KafkaClient, TopicDescription } from './kafka-client.js'

/** How the topic of a stream is created, and what is required of one that exists. */
export interface TopicSettings {
  /** -1: the default of the brokers. */
  readonly replicationFactor: number
  /** Replicas that must have a frame before it is acknowledged. Undefined: 2 where there are 3 replicas or more, otherwise 1. */
  readonly minInsyncReplicas: number | undefined
  /** How long Kafka keeps frames where this client may not trim them, in ms; -1: for ever. Where it may, they are kept until they are trimmed. */
  readonly retentionMs: number
  /** The largest frame. */
  readonly frameBytesMax: number
}

/** Bytes of a record batch around the frame, with room to spare. */
const BATCH_OVERHEAD_BYTES = 1024
const VISIBLE_WITHIN_MS = 30_000
const POLL_MS = 50

/**
 * Creates the topic unless it exists, and verifies it.
 * @throws STREAM_CONFIG when the topic cannot hold the stream, with everything that is wrong in one message
 */
export async function prepareTopic(
  client: KafkaClient,
  topic: string,
  { partitions, ...settings }: TopicSettings & { readonly partitions: number },
): Promise<void> {
  let description = await client.describeTopic(topic)
  if (description === undefined) {
    const { replicationFactor } = settings
    const replicas = replicationFactor > 0 ? replicationFactor : await client.defaultReplicationFactor()
    const mayTrim = (await client.mayDeleteRecords?.(topic)) ?? true
    const configs = configsOf(mayTrim ? { ...settings, retentionMs: -1 } : settings, replicas)
    await client.createTopic(topic, { partitions, replicationFactor, configs })
    description = await whenVisible(client, topic, partitions)
  }
  const problems = problemsOf(description, partitions, settings)
  if (problems.length > 0)
    throw streamErrors.STREAM_CONFIG({
      message: `the Kafka topic ${topic} cannot hold the stream: ${problems.join('; ')}`,
      details: { topic },
    })
}

function configsOf(settings: TopicSettings, replicas: number | undefined): Record<string, string> {
  const { retentionMs, frameBytesMax } = settings
  const minInsync = replicas === undefined ? settings.minInsyncReplicas : minInsyncOf(settings, replicas)
  return {
    ...(minInsync !== undefined && { 'min.insync.replicas': String(minInsync) }),
    'cleanup.policy': 'delete',
    'compression.type': 'producer',
    'max.message.bytes': String(frameBytesMax + BATCH_OVERHEAD_BYTES),
    'message.timestamp.type': 'CreateTime',
    'retention.bytes': '-1',
    'retention.ms': String(retentionMs),
    'unclean.leader.election.enable': 'false',
  }
}

function minInsyncOf({ minInsyncReplicas }: TopicSettings, replicas: number): number {
  return minInsyncReplicas ?? (replicas >= 3 ? 2 : 1)
}

/** Brokers learn of a new topic one after another, and its leaders answer a moment later. */
async function whenVisible(client: KafkaClient, topic: string, partitions: number): Promise<TopicDescription> {
  const endsAt = performance.now() + VISIBLE_WITHIN_MS
  const numbers = Array.from({ length: partitions }, (_, partition) => partition)
  for (;;) {
    let cause: unknown
    try {
      const { length } = await client.offsets(topic, numbers)
      const description = await client.describeTopic(topic)
      if (description !== undefined && length === partitions) return description
    } catch (error) {
      cause = error
    }
    if (performance.now() > endsAt)
      throw streamErrors.STREAM_UNAVAILABLE({
        message: `the Kafka topic ${topic} was created, but its leaders do not answer`,
        cause,
      })
    await sleep(POLL_MS)
  }
}

/** Everything because of which the topic would lose or refuse frames. Configs that may not be read are not checked. */
function problemsOf(topic: TopicDescription, partitions: number, settings: TopicSettings): string[] {
  const problems: string[] = []
  const { configs } = topic
  if (topic.partitions.length < partitions)
    problems.push(`it has ${topic.partitions.length} partitions, and ${partitions} are needed`)
  const replicas = Math.min(...topic.partitions.map((partition) => partition.replicas.length))
  const minInsync = Number(configs['min.insync.replicas'] ?? 1)
  const wanted = minInsyncOf(settings, replicas)
  if (minInsync > replicas)
    problems.push(
      `min.insync.replicas is ${minInsync}, which cannot be satisfied, because its partitions have only ${replicas} replicas`,
    )
  if (configs['min.insync.replicas'] !== undefined && minInsync < wanted)
    problems.push(
      `min.insync.replicas is ${minInsync}, so a broker that fails may take acknowledged frames with it; raise it to ${wanted} or set KAFKA_MIN_INSYNC_REPLICAS to ${minInsync}`,
    )
  if (settings.replicationFactor > replicas)
    problems.push(
      `its partitions have ${replicas} replicas, and KAFKA_REPLICATION_FACTOR asks for ${settings.replicationFactor}`,
    )
  const policy = configs['cleanup.policy']
  if (policy !== undefined && policy !== 'delete')
    problems.push(`cleanup.policy is ${policy}, which removes frames that were not read; it must be delete`)
  const compression = configs['compression.type']
  if (compression !== undefined && !['producer', 'uncompressed', 'gzip'].includes(compression))
    problems.push(
      `compression.type is ${compression}, which this client cannot read; it must be producer or uncompressed`,
    )
  const bytesMax = Number(configs['max.message.bytes'] ?? Number.POSITIVE_INFINITY)
  if (bytesMax < settings.frameBytesMax)
    problems.push(`max.message.bytes is ${bytesMax}, and frames may have ${settings.frameBytesMax} bytes`)
  return problems
}
