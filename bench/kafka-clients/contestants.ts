import { importInnerFile } from '../lib/repository.js'
import { type Contestant, FETCH_LIMITS, type Target } from './contestant.js'
import { openPlatformatic } from './platformatic.js'

export const CONTESTANTS: Readonly<Record<string, (target: Target) => Promise<Contestant>>> = {
  driver: openDriver,
  platformatic: openPlatformatic,
}

/** The parts of the driver's client that are measured; packages/streams/src/drivers/kafka/kafka-client.ts has all of it. */
interface KafkaClient {
  produce(
    topic: string,
    messages: readonly { partition: number; value: Buffer; timestampMs: number }[],
    options: { timeoutMs: number },
  ): Promise<({ kind: 'stored' } | { kind: 'failed'; cause: Error })[]>
  openFetcher(): Promise<{
    leaders(topic: string): Promise<ReadonlyMap<number, number>>
    fetch(
      node: number,
      topic: string,
      requests: readonly { partition: number; offset: number; bytesMax: number }[],
      options: { maxWaitMs: number; bytesMax: number },
    ): Promise<readonly FetchedPartition[]>
  }>
}

type FetchedPartition =
  | { kind: 'messages'; partition: number; messages: readonly object[]; nextOffset: number; highWatermark: number }
  | { kind: 'moved' | 'out_of_range' | 'failed' }

interface KafkajsModule {
  createKafkajsClient(connection: { brokers: readonly string[]; clientId: string }): KafkaClient
}

/** The client of the Kafka driver: kafkajs for connections, our own encoding of records. */
async function openDriver({ broker, topic }: Target): Promise<Contestant> {
  const { createKafkajsClient } = await importInnerFile<KafkajsModule>(
    'packages/streams/dist/drivers/kafka/kafkajs/client.js',
  )
  const client = createKafkajsClient({ brokers: [broker], clientId: 'bench' })
  const fetcher = await client.openFetcher()
  return {
    produce: async (frames) => {
      const timestampMs = Date.now()
      const messages = frames.map(({ partition, frame }) => ({ partition, value: frame, timestampMs }))
      for (const outcome of await client.produce(topic, messages, { timeoutMs: 5000 }))
        if (outcome.kind === 'failed') throw outcome.cause
    },
    fetch: async (offsets) => {
      const [node] = (await fetcher.leaders(topic)).values()
      const requests = offsets.map((offset, partition) => ({
        partition,
        offset,
        bytesMax: FETCH_LIMITS.partitionBytesMax,
      }))
      let frames = 0
      for (const answer of await fetcher.fetch(node ?? 0, topic, requests, FETCH_LIMITS)) {
        if (answer.kind !== 'messages') throw new Error(`a fetch was answered with "${answer.kind}"`)
        frames += answer.messages.length
        offsets[answer.partition] = answer.nextOffset >= answer.highWatermark ? 0 : answer.nextOffset
      }
      return frames
    },
  }
}
