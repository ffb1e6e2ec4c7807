import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterDescription, GroupOffset, PartitionOffsets, TopicDescription } from '../kafka-client.js'
import type { BrokerNodes, TopicMetadata } from './broker-nodes.js'
import { ERROR_CODE, kafkaError } from './error-codes.js'
import type { KafkajsBroker } from './internals.js'
import { logDirsRequest } from './log-dirs-request.js'
import { listOffsetsRequest } from './requests.js'

const LATEST = -1
const EARLIEST = -2
const RESOURCE_TOPIC = 2
const RESOURCE_BROKER = 4
/** Time limit of a request, in ms; creating a topic may take longer. */
const REQUEST_TIMEOUT_MS = 2_000
const CREATE_TIMEOUT_MS = 15_000
const COORDINATOR_MS_MAX = 5_000
const COORDINATOR_PAUSE_MS = 100

/** Names of the errors that say that this client lacks a permission. */
const NOT_PERMITTED = /^(TOPIC|CLUSTER)_AUTHORIZATION_FAILED$|^POLICY_VIOLATION$/

/** Errors that pass when the coordinator of the group is there. */
const COORDINATOR_MOVED = /^(GROUP_COORDINATOR_NOT_AVAILABLE|NOT_COORDINATOR_FOR_GROUP|GROUP_LOAD_IN_PROGRESS)$/

type TypedError = Error & { readonly type?: string }

/** Everything but produce, fetch and group membership. */
export class KafkajsAdmin {
  readonly #nodes: BrokerNodes

  constructor(nodes: BrokerNodes) {
    this.#nodes = nodes
  }

  async offsets(topic: string, partitions: readonly number[]): Promise<PartitionOffsets[]> {
    // The start first: it never lies behind the end then, although both move.
    const earliest = await this.#listOffsets(topic, partitions, EARLIEST)
    const latest = await this.#listOffsets(topic, [...earliest.keys()], LATEST)
    return partitions.flatMap((partition) => {
      const ends = { earliest: earliest.get(partition), latest: latest.get(partition) }
      return ends.earliest === undefined || ends.latest === undefined
        ? []
        : [{ partition, earliest: ends.earliest, latest: ends.latest }]
    })
  }

  async offsetAt(topic: string, partition: number, timeMs: number): Promise<number | undefined> {
    const offset = (await this.#listOffsets(topic, [partition], Math.max(0, Math.floor(timeMs)))).get(partition)
    return offset === undefined || offset < 0 ? undefined : offset
  }

  async deleteRecords(topic: string, before: readonly GroupOffset[]): Promise<'deleted' | 'not_permitted'> {
    const offsetOf = new Map(before.map(({ partition, offset }) => [partition, offset]))
    try {
      const { failure } = await this.#onLeaders(topic, [...offsetOf.keys()], async ({ broker, own }) => {
        const partitions = own.map((partition) => ({ partition, offset: String(offsetOf.get(partition)) }))
        const remove = () => broker.deleteRecords({ topics: [{ topic, partitions }] })
        return { answer: await this.#nodes.run(broker, remove, REQUEST_TIMEOUT_MS, 'DeleteRecords') }
      })
      if (failure !== undefined) throw failure.cause
      return 'deleted'
    } catch (error) {
      const { partitions } = error as { partitions?: readonly { readonly error: TypedError }[] }
      const cause = (partitions?.[0]?.error ?? error) as TypedError
      if (NOT_PERMITTED.test(cause.type ?? '')) return 'not_permitted'
      throw cause
    }
  }

  /** Asks for nothing to be deleted: a broker checks the permission first, also for a topic that does not exist. */
  async mayDeleteRecords(topic: string): Promise<boolean> {
    const { nodes } = await this.#nodes.cluster()
    const broker = await this.#nodes.connect(nodes[0] as number)
    const nothing = { topics: [{ topic, partitions: [{ partition: 0, offset: '0' }] }] }
    try {
      await this.#nodes.run(broker, () => broker.deleteRecords(nothing), REQUEST_TIMEOUT_MS, 'DeleteRecords')
      return true
    } catch (error) {
      const { partitions } = error as { partitions?: readonly { readonly error: TypedError }[] }
      const cause = (partitions?.[0]?.error ?? error) as TypedError
      if (cause.type === undefined) throw cause
      return !NOT_PERMITTED.test(cause.type)
    }
  }

  async describeTopic(topic: string): Promise<TopicDescription | undefined> {
    const [metadata] = (await this.#nodes.metadata([topic])).topics
    if (metadata === undefined || metadata.errorCode === ERROR_CODE.unknownTopicOrPartition) return undefined
    if (metadata.errorCode !== 0) throw kafkaError(metadata.errorCode, `the topic ${topic}`)
    const partitions = metadata.partitions.map(({ partition, leader, replicas, isr }) => ({
      partition,
      leader: leader < 0 ? undefined : leader,
      replicas,
      isr,
    }))
    const { controller } = await this.#nodes.cluster()
    return { partitions, configs: await this.#configs(controller, RESOURCE_TOPIC, topic) }
  }

  async createTopic(
    topic: string,
    spec: {
      readonly partitions: number
      readonly replicationFactor: number
      readonly configs: Readonly<Record<string, string>>
    },
  ): Promise<'created' | 'exists'> {
    const { controller } = await this.#nodes.cluster()
    const configEntries = Object.entries(spec.configs).map(([name, value]) => ({ name, value }))
    const { partitions: numPartitions, replicationFactor } = spec
    const topics = [{ topic, numPartitions, replicationFactor, configEntries }]
    const broker = await this.#nodes.connect(controller)
    const create = () => broker.createTopics({ topics, timeout: CREATE_TIMEOUT_MS - 1000 })
    try {
      await this.#nodes.run(broker, create, CREATE_TIMEOUT_MS, 'CreateTopics')
      return 'created'
    } catch (error) {
      const cause = ((error as AggregateError).errors?.[0] ?? error) as TypedError
      if (cause.type === 'TOPIC_ALREADY_EXISTS') return 'exists'
      throw cause
    }
  }

  async defaultReplicationFactor(): Promise<number | undefined> {
    const { controller } = await this.#nodes.cluster()
    const factor = (await this.#configs(controller, RESOURCE_BROKER, String(controller)))['default.replication.factor']
    return factor === undefined ? undefined : Number(factor)
  }

  async describeCluster(): Promise<ClusterDescription> {
    const { brokers, controller, topics } = await this.#nodes.metadata(undefined)
    const partitions = topics.flatMap((topic) => topic.partitions)
    return {
      brokers,
      controller: controller < 0 ? undefined : controller,
      underReplicated: partitions.filter(({ isr, replicas }) => isr.length < replicas.length).length,
      offline: partitions.filter(({ leader }) => leader < 0).length,
    }
  }

  async logBytes(topics: readonly string[]): Promise<{ usedBytes: number; ceilingBytes?: number } | undefined> {
    await this.#nodes.metadata([])
    const { nodes } = await this.#nodes.cluster()
    const answers = await Promise.allSettled(nodes.map((node) => this.#logBytesOf(node, topics)))
    const figures = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
    if (figures.length === 0)
      throw (answers[0] as PromiseRejectedResult | undefined)?.reason ?? new Error('no broker is known')
    const known = figures.filter((figure) => figure !== undefined)
    if (known.length === 0) return undefined
    const share = ({ usedBytes, freeBytes }: LogBytes) =>
      usedBytes / Math.max(1, usedBytes + (freeBytes ?? Number.POSITIVE_INFINITY))
    const { usedBytes, freeBytes } = known.reduce((fullest, next) => (share(next) > share(fullest) ? next : fullest))
    return freeBytes === undefined ? { usedBytes } : { usedBytes, ceilingBytes: usedBytes + freeBytes }
  }

  /** The first commit on a cluster creates the topic of the offsets, which takes the coordinator a moment. */
  async commitOffsets(group: string, topic: string, offsets: readonly GroupOffset[]): Promise<void> {
    const endsAt = performance.now() + COORDINATOR_MS_MAX
    for (;;) {
      try {
        return await this.#commitOffsets(group, topic, offsets)
      } catch (error) {
        if (!COORDINATOR_MOVED.test((error as TypedError).type ?? '') || performance.now() > endsAt) throw error
        await sleep(COORDINATOR_PAUSE_MS)
      }
    }
  }

  async #commitOffsets(group: string, topic: string, offsets: readonly GroupOffset[]): Promise<void> {
    const { nodes } = await this.#nodes.cluster()
    const any = await this.#nodes.connect(nodes[Math.floor(Math.random() * nodes.length)] as number)
    const find = () => any.findGroupCoordinator({ groupId: group, coordinatorType: 0 })
    const { coordinator } = await this.#nodes.run(any, find, REQUEST_TIMEOUT_MS, 'FindCoordinator')
    const broker = await this.#nodes.connect(coordinator.nodeId)
    const partitions = offsets.map(({ partition, offset }) => ({ partition, offset: String(offset) }))
    const commit = () =>
      broker.offsetCommit({
        groupId: group,
        groupGenerationId: -1,
        memberId: '',
        retentionTime: -1,
        topics: [{ topic, partitions }],
      })
    await this.#nodes.run(broker, commit, REQUEST_TIMEOUT_MS, 'OffsetCommit')
  }

  close(): void {
    this.#nodes.close()
  }

  /** Empty when this client may not read them. */
  async #configs(node: number, type: number, name: string): Promise<Record<string, string>> {
    const broker = await this.#nodes.connect(node)
    const describe = () => broker.describeConfigs({ resources: [{ type, name }] })
    try {
      const { resources } = await this.#nodes.run(broker, describe, REQUEST_TIMEOUT_MS, 'DescribeConfigs')
      const entries = resources.flatMap(({ configEntries }) => configEntries)
      return Object.fromEntries(entries.map(({ configName, configValue }) => [configName, configValue]))
    } catch (error) {
      if (NOT_PERMITTED.test((error as TypedError).type ?? '')) return {}
      throw error
    }
  }

  async #logBytesOf(node: number, topics: readonly string[]): Promise<LogBytes | undefined> {
    const broker = await this.#nodes.connect(node)
    if ((broker.versions?.[logDirsRequest.apiKey]?.maxVersion ?? 0) < logDirsRequest.apiVersion) return undefined
    const { errorCode, dirs } = await this.#nodes.send(broker, logDirsRequest.create(), REQUEST_TIMEOUT_MS)
    if (errorCode === ERROR_CODE.clusterAuthorizationFailed) return undefined
    if (errorCode !== 0) throw kafkaError(errorCode, `the log directories of broker ${node}`)
    const wanted = new Set(topics)
    let fullest: LogBytes | undefined
    for (const dir of dirs) {
      const usedBytes = dir.partitions.reduce((sum, { topic, bytes }) => sum + (wanted.has(topic) ? bytes : 0), 0)
      const freeBytes = dir.usableBytes < 0 ? undefined : dir.usableBytes
      if (fullest === undefined || usedBytes > fullest.usedBytes) fullest = { usedBytes, freeBytes }
    }
    return fullest
  }

  /** Without the partitions whose leaders do not answer or refuse. Rejects when no partition is left. */
  async #listOffsets(topic: string, partitions: readonly number[], timestamp: number): Promise<Map<number, number>> {
    const { answers, failure } = await this.#onLeaders(topic, partitions, async ({ broker, own, epochs }) => {
      const wire = listOffsetsRequest(topic, own, { timestamp, epochs })
      const listed = await this.#nodes.send(broker, wire, REQUEST_TIMEOUT_MS)
      const refused = listed.filter(({ errorCode }) => errorCode !== 0)
      const answer = listed.filter(({ errorCode }) => errorCode === 0)
      if (refused[0] === undefined) return { answer }
      const cause = kafkaError(refused[0].errorCode, `partition ${refused[0].partition} of ${topic}`)
      return { answer, failure: { partitions: refused.map(({ partition }) => partition), cause } }
    })
    const found = answers.flat()
    if (found.length === 0 && failure !== undefined) throw failure.cause
    return new Map(found.map(({ partition, offset }) => [partition, offset]))
  }

  /** Sends each leader one request for its partitions. Asks for the leaders of those that failed again and tries once more. */
  async #onLeaders<T>(
    topic: string,
    partitions: readonly number[],
    call: (leader: Leader) => Promise<LeaderAnswer<T>>,
  ): Promise<LeaderAnswers<T>> {
    const ask = async (leader: number, own: readonly number[], epochs: ReadonlyMap<number, number>) => {
      if (leader < 0) throw new Error(`partition ${own.join(', ')} of ${topic} has no leader`)
      return await call({ broker: await this.#nodes.connect(leader), own, epochs })
    }
    const attempt = async (wanted: readonly number[]): Promise<LeaderAnswers<T>> => {
      try {
        const metadata = await this.#nodes.topic(topic)
        const epochs = new Map(metadata.partitions.map(({ partition, leaderEpoch }) => [partition, leaderEpoch]))
        return await settleAll(groupByLeader(wanted, metadata), (leader, own) => ask(leader, own, epochs))
      } catch (cause) {
        return { answers: [], failure: { partitions: wanted, cause } }
      }
    }
    const { answers, failure } = await attempt(partitions)
    if (failure === undefined) return { answers, failure }
    this.#nodes.forget(topic)
    if (NOT_PERMITTED.test((failure.cause as TypedError).type ?? '')) throw failure.cause
    const second = await attempt(failure.partitions)
    return { answers: [...answers, ...second.answers], failure: second.failure }
  }
}

/** A broker and the partitions that it leads, with the leader epochs of all partitions of the topic. */
interface Leader {
  readonly broker: KafkajsBroker
  readonly own: readonly number[]
  readonly epochs: ReadonlyMap<number, number>
}

/** The partitions without an answer, with the first error. */
interface LeaderFailure {
  readonly partitions: readonly number[]
  readonly cause: unknown
}

/** What one leader has answered. */
interface LeaderAnswer<T> {
  readonly answer: T
  /** Partitions that it has refused. */
  readonly failure?: LeaderFailure
}

/** What the leaders have answered. */
interface LeaderAnswers<T> {
  readonly answers: readonly T[]
  readonly failure: LeaderFailure | undefined
}

async function settleAll<T>(
  byLeader: ReadonlyMap<number, readonly number[]>,
  ask: (leader: number, partitions: readonly number[]) => Promise<LeaderAnswer<T>>,
): Promise<LeaderAnswers<T>> {
  const answers: T[] = []
  const partitions: number[] = []
  const causes: unknown[] = []
  const note = (failure: LeaderFailure) => {
    partitions.push(...failure.partitions)
    causes.push(failure.cause)
  }
  const asked = [...byLeader].map(async ([leader, own]) => {
    try {
      const { answer, failure } = await ask(leader, own)
      answers.push(answer)
      if (failure !== undefined) note(failure)
    } catch (cause) {
      note({ partitions: own, cause })
    }
  })
  await Promise.all(asked)
  return { answers, failure: causes.length === 0 ? undefined : { partitions, cause: causes[0] } }
}

interface LogBytes {
  readonly usedBytes: number
  readonly freeBytes: number | undefined
}

/** Under -1 those without a leader. */
function groupByLeader(partitions: readonly number[], metadata: TopicMetadata): Map<number, number[]> {
  const byLeader = new Map<number, number[]>()
  for (const wanted of partitions) {
    const leader = metadata.partitions.find(({ partition }) => partition === wanted)?.leader ?? -1
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), wanted])
  }
  return byLeader
}
