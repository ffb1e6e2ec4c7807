import type { FetchRequest, KafkaMessage } from '../kafka-client.js'
import { WireReader, WireWriter } from '../wire.js'
import type { WireRequest } from './internals.js'
import { recordBatchSize, writeRecordBatch } from './record-batch.js'

/** The part of the answer to `produceRequest` for one partition. */
interface ProducedPartition {
  readonly partition: number
  readonly errorCode: number
  /** Offset of the first message. */
  readonly offset: number
}

/** Messages of one partition, which become one record batch. */
export interface PartitionMessages {
  readonly partition: number
  readonly messages: readonly KafkaMessage[]
}

const ALL_REPLICAS = -1

/** Produce, version 7. kafkajs' own answer drops the results of all partitions when one of them failed. */
export function produceRequest(
  topic: string,
  batches: readonly PartitionMessages[],
  timeoutMs: number,
): WireRequest<ProducedPartition[]> {
  return request(
    { apiKey: 0, apiVersion: 7, apiName: 'Produce' },
    () => {
      const sizes = batches.map(({ messages }) => recordBatchSize(messages))
      const size = sizes.reduce((sum, bytes) => sum + bytes + 8, 18 + Buffer.byteLength(topic))
      const out = new WireWriter(size).int16(-1).int16(ALL_REPLICAS).int32(timeoutMs).int32(1).string(topic)
      out.int32(batches.length)
      batches.forEach(({ partition, messages }, index) => {
        const bytes = sizes[index] as number
        out.int32(partition).int32(bytes)
        writeRecordBatch(out, messages, bytes)
      })
      return out.bytes
    },
    decodeProduced,
  )
}

function decodeProduced(body: Buffer): ProducedPartition[] {
  const partitions = new WireReader(body).array((topic) => {
    topic.string()
    return topic.array((partition) => {
      const produced = { partition: partition.int32(), errorCode: partition.int16(), offset: partition.int64() }
      partition.skip(16)
      return produced
    })
  })
  return partitions.flat()
}

/** The part of the answer to `fetchRequest` for one partition. */
export interface FetchedRecords {
  readonly partition: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStart: number
  readonly records: Buffer
}

/**
 * Fetch, version 11, without a session. `epochs`: the leader epoch of each partition, if it is known. A broker that is the leader of another epoch
 * refuses the request, so a broker that has been deposed and does not know it yet is not read. Also returns messages of transactions that are not committed: frames are never part of one.
 */
export function fetchRequest(
  topic: string,
  partitions: readonly FetchRequest[],
  {
    maxWaitMs,
    bytesMax,
    epochs,
  }: { readonly maxWaitMs: number; readonly bytesMax: number; readonly epochs: ReadonlyMap<number, number> },
): WireRequest<FetchedRecords[]> {
  return request(
    { apiKey: 1, apiVersion: 11, apiName: 'Fetch' },
    () => {
      const out = new WireWriter(45 + Buffer.byteLength(topic) + 28 * partitions.length)
      out.int32(-1).int32(maxWaitMs).int32(1).int32(bytesMax).int8(0).int32(0).int32(-1)
      out.int32(1).string(topic).int32(partitions.length)
      for (const { partition, offset, bytesMax: partitionBytes } of partitions)
        out
          .int32(partition)
          .int32(epochs.get(partition) ?? -1)
          .int64(offset)
          .int64(-1)
          .int32(partitionBytes)
      out.int32(0).string('')
      return out.written
    },
    decodeFetched,
  )
}

function decodeFetched(body: Buffer): FetchedRecords[] {
  const reader = new WireReader(body)
  reader.skip(4)
  const errorCode = reader.int16()
  reader.skip(4)
  if (errorCode !== 0) throw new Error(`the broker refused the fetch with error ${errorCode}`)
  const topics = reader.array((topic) => {
    topic.string()
    return topic.array(decodeFetchedPartition)
  })
  return topics.flat()
}

function decodeFetchedPartition(reader: WireReader): FetchedRecords {
  const head = { partition: reader.int32(), errorCode: reader.int16(), highWatermark: reader.int64() }
  reader.skip(8)
  const logStart = reader.int64()
  reader.array((aborted) => aborted.skip(16))
  reader.skip(4)
  return { ...head, logStart, records: reader.bytes() }
}

/** The part of the answer to `listOffsetsRequest` for one partition. `offset` is -1 when no message has the time or a later one. */
export interface ListedOffset {
  readonly partition: number
  readonly errorCode: number
  readonly offset: number
}

/**
 * ListOffsets, version 5: the first offset at or after a time, or the end (-1) or the start (-2) of each partition. `epochs` as in `fetchRequest`: kafkajs
 * sends none, and a broker that was the leader would answer with an end that lies before acknowledged messages.
 */
export function listOffsetsRequest(
  topic: string,
  partitions: readonly number[],
  { timestamp, epochs }: { readonly timestamp: number; readonly epochs: ReadonlyMap<number, number> },
): WireRequest<ListedOffset[]> {
  return request(
    { apiKey: 2, apiVersion: 5, apiName: 'ListOffsets' },
    () => {
      const out = new WireWriter(15 + Buffer.byteLength(topic) + 16 * partitions.length)
      out.int32(-1).int8(0).int32(1).string(topic).int32(partitions.length)
      for (const partition of partitions)
        out
          .int32(partition)
          .int32(epochs.get(partition) ?? -1)
          .int64(timestamp)
      return out.written
    },
    decodeListedOffsets,
  )
}

function decodeListedOffsets(body: Buffer): ListedOffset[] {
  const reader = new WireReader(body)
  reader.skip(4)
  const topics = reader.array((topic) => {
    topic.string()
    return topic.array((partition) => {
      const head = { partition: partition.int32(), errorCode: partition.int16() }
      partition.skip(8)
      const offset = partition.int64()
      partition.skip(4)
      return { ...head, offset }
    })
  })
  return topics.flat()
}

/** A partition in the metadata of a topic. */
interface PartitionMetadata {
  readonly partition: number
  /** -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

/** What a broker knows about the cluster and its topics. */
export interface Metadata {
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  readonly controller: number
  readonly topics: readonly {
    readonly errorCode: number
    readonly topic: string
    readonly partitions: readonly PartitionMetadata[]
  }[]
}

/** Metadata, version 8, of the given topics or of all (undefined). kafkajs' own answer is an error while any partition has no leader. */
export function metadataRequest(topics: readonly string[] | undefined): WireRequest<Metadata> {
  return request(
    { apiKey: 3, apiVersion: 8, apiName: 'Metadata' },
    () => {
      const size = (topics ?? []).reduce((sum, topic) => sum + 2 + Buffer.byteLength(topic), 7)
      const out = new WireWriter(size).int32(topics?.length ?? -1)
      for (const topic of topics ?? []) out.string(topic)
      return out.int8(0).int8(0).int8(0).bytes
    },
    decodeMetadata,
  )
}

function decodeMetadata(body: Buffer): Metadata {
  const reader = new WireReader(body)
  reader.skip(4)
  const brokers = reader.array((broker) => {
    const address = { id: broker.int32(), host: broker.string(), port: broker.int32() }
    broker.nullableString()
    return address
  })
  reader.nullableString()
  const controller = reader.int32()
  const topics = reader.array((topic) => {
    const head = { errorCode: topic.int16(), topic: topic.string() }
    topic.skip(1)
    const partitions = topic.array(decodePartitionMetadata)
    topic.skip(4)
    return { ...head, partitions }
  })
  return { brokers, controller, topics }
}

function decodePartitionMetadata(reader: WireReader): PartitionMetadata {
  reader.skip(2)
  const ids = (list: WireReader) => list.array((id) => id.int32())
  const head = { partition: reader.int32(), leader: reader.int32(), leaderEpoch: reader.int32() }
  const replicas = ids(reader)
  const isr = ids(reader)
  ids(reader)
  return { ...head, replicas, isr }
}

function request<T>(
  api: { readonly apiKey: number; readonly apiVersion: number; readonly apiName: string },
  encode: () => Buffer,
  decode: (body: Buffer) => T,
): WireRequest<T> {
  return {
    request: {
      ...api,
      encode: async () => {
        const bytes = encode()
        return { buf: bytes, buffer: bytes }
      },
    },
    response: { decode: async (body) => decode(body), parse: async (decoded) => decoded },
  }
}
