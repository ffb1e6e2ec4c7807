import type { FetchedPartition, FetchRequest, KafkaFetcher } from '../kafka-client.js'
import type { BrokerNodes } from './broker-nodes.js'
import { ERROR_CODE, isMoved, kafkaError } from './error-codes.js'
import { decodeRecordBatches } from './record-batch.js'
import { type FetchedRecords, fetchRequest } from './requests.js'

/** Time that an answer may need beyond the wait that was asked for, in ms. */
const ANSWER_MS = 5_000

/** Reads from the leaders of partitions; owns its connections. */
export class KafkajsFetcher implements KafkaFetcher {
  readonly #nodes: BrokerNodes
  readonly #closed: () => void

  constructor(nodes: BrokerNodes, closed: () => void) {
    this.#nodes = nodes
    this.#closed = closed
  }

  async leaders(topic: string): Promise<ReadonlyMap<number, number>> {
    const { partitions } = await this.#nodes.topic(topic)
    return new Map(partitions.filter(({ leader }) => leader >= 0).map(({ partition, leader }) => [partition, leader]))
  }

  async refresh(topic: string): Promise<void> {
    await this.#nodes.refresh(topic)
  }

  async fetch(
    node: number,
    topic: string,
    requests: readonly FetchRequest[],
    options: { readonly maxWaitMs: number; readonly bytesMax: number },
  ): Promise<FetchedPartition[]> {
    const broker = await this.#nodes.connect(node)
    const { partitions } = await this.#nodes.topic(topic)
    const epochs = new Map(
      partitions
        .filter(({ leader }) => leader === node)
        .map(({ partition, leaderEpoch }) => [partition, leaderEpoch] as const),
    )
    const wire = fetchRequest(topic, requests, { ...options, epochs })
    const answers = await this.#nodes.send(broker, wire, options.maxWaitMs + ANSWER_MS)
    const byPartition = new Map(answers.map((answer) => [answer.partition, answer]))
    return requests.map((request) => toFetched(topic, request, byPartition.get(request.partition)))
  }

  async close(): Promise<void> {
    this.#nodes.close()
    this.#closed()
  }
}

function toFetched(
  topic: string,
  { partition, offset }: FetchRequest,
  answer: FetchedRecords | undefined,
): FetchedPartition {
  if (answer === undefined || isMoved(answer.errorCode)) return { partition, kind: 'moved' }
  const { errorCode, highWatermark, logStart, records } = answer
  if (errorCode === ERROR_CODE.offsetOutOfRange) return { partition, kind: 'out_of_range' }
  if (errorCode !== 0)
    return { partition, kind: 'failed', cause: kafkaError(errorCode, `partition ${partition} of ${topic}`) }
  try {
    return { partition, kind: 'messages', ...decodeRecordBatches(records, offset), highWatermark, logStart }
  } catch (cause) {
    const { message } = cause as Error
    return { partition, kind: 'failed', cause: new Error(`partition ${partition} of ${topic}: ${message}`, { cause }) }
  }
}
