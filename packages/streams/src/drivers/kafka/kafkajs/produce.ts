import type { KafkaMessage, ProduceOutcome } from '../kafka-client.js'
import { within } from '../within.js'
import type { BrokerNodes } from './broker-nodes.js'
import { isMoved, kafkaError, mayBeStored } from './error-codes.js'
import { type PartitionMessages, produceRequest } from './requests.js'

/** Time that a broker's answer may need after the broker's own limit has passed, in ms. */
const ANSWER_MS = 200

/** Sends each leader one request with the messages of its partitions. See `KafkaClient.produce`. */
export async function produce(
  nodes: BrokerNodes,
  topic: string,
  messages: readonly KafkaMessage[],
  timeoutMs: number,
): Promise<ProduceOutcome[]> {
  const endsAt = performance.now() + timeoutMs
  const outcomes = new Map<KafkaMessage, ProduceOutcome>()
  const settle = (batches: readonly PartitionMessages[], outcome: (index: number) => ProduceOutcome) => {
    for (const { messages: own } of batches)
      for (const [index, message] of own.entries()) outcomes.set(message, outcome(index))
  }
  const batches = groupByPartition(messages)
  let byLeader: Map<number, PartitionMessages[]>
  try {
    byLeader = await within(timeoutMs, groupByLeader(nodes, topic, batches), 'finding the leaders')
  } catch (cause) {
    return messages.map(() => notSent(cause))
  }
  const leaderless = byLeader.get(-1) ?? []
  byLeader.delete(-1)
  if (leaderless.length > 0) {
    nodes.forget(topic)
    settle(leaderless, () => notSent(new Error('the partition has no leader')))
  }
  const send = async ([node, own]: [number, PartitionMessages[]]) => {
    const sent = await sendToLeader(nodes, { topic, node, batches: own, endsAt })
    own.forEach((batch, at) => {
      const result = sent[at] as ProduceOutcome
      settle([batch], (index) => (result.kind === 'stored' ? { ...result, offset: result.offset + index } : result))
    })
  }
  await Promise.all([...byLeader].map(send))
  return messages.map((message) => outcomes.get(message) as ProduceOutcome)
}

interface LeaderRequest {
  readonly topic: string
  readonly node: number
  readonly batches: readonly PartitionMessages[]
  /** By performance.now. */
  readonly endsAt: number
}

/** One outcome a batch; the offset is that of its first message. Never rejects. */
async function sendToLeader(nodes: BrokerNodes, request: LeaderRequest): Promise<ProduceOutcome[]> {
  const { topic, node, batches, endsAt } = request
  const broker = await nodes.connect(node).catch((cause: Error) => cause)
  if (broker instanceof Error) {
    nodes.forget(topic)
    return batches.map(() => notSent(broker))
  }
  const leftMs = endsAt - performance.now()
  if (leftMs < 1) return batches.map(() => notSent(new Error('connecting to the leader took too long')))
  const timeoutMs = nodes.limitOf(broker, leftMs)
  try {
    const wire = produceRequest(topic, batches, Math.max(1, Math.floor(timeoutMs - ANSWER_MS)))
    const answers = await nodes.send(broker, wire, timeoutMs)
    if (answers.some(({ errorCode }) => isMoved(errorCode))) nodes.forget(topic)
    const byPartition = new Map(answers.map((answer) => [answer.partition, answer]))
    return batches.map(({ partition }): ProduceOutcome => {
      const answer = byPartition.get(partition)
      if (answer === undefined) return ambiguous(new Error(`the answer lacks partition ${partition}`))
      const { errorCode, offset } = answer
      if (errorCode === 0) return { kind: 'stored', offset }
      const cause = kafkaError(errorCode, `partition ${partition} of ${topic}`)
      return { kind: 'failed', isAmbiguous: mayBeStored(errorCode), cause }
    })
  } catch (cause) {
    nodes.forget(topic)
    return batches.map(() => ambiguous(cause))
  }
}

async function groupByLeader(
  nodes: BrokerNodes,
  topic: string,
  batches: readonly PartitionMessages[],
): Promise<Map<number, PartitionMessages[]>> {
  const { partitions } = await nodes.topic(topic)
  const byLeader = new Map<number, PartitionMessages[]>()
  for (const batch of batches) {
    const leader = partitions.find(({ partition }) => partition === batch.partition)?.leader ?? -1
    const own = byLeader.get(leader)
    if (own === undefined) byLeader.set(leader, [batch])
    else own.push(batch)
  }
  return byLeader
}

function groupByPartition(messages: readonly KafkaMessage[]): PartitionMessages[] {
  const groups = new Map<number, KafkaMessage[]>()
  for (const message of messages) {
    const group = groups.get(message.partition)
    if (group === undefined) groups.set(message.partition, [message])
    else group.push(message)
  }
  return [...groups].map(([partition, own]) => ({ partition, messages: own }))
}

function notSent(cause: unknown): ProduceOutcome {
  return { kind: 'failed', isAmbiguous: false, cause: cause as Error }
}

function ambiguous(cause: unknown): ProduceOutcome {
  return { kind: 'failed', isAmbiguous: true, cause: cause as Error }
}
