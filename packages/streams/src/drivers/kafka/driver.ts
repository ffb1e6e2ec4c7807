import { streamTopic } from '@millrace/contracts'
import type { Logger } from '@millrace/logger'
import {
  type AppendResult,
  BEGINNING,
  type BrokerGroupListener,
  type BrokerGroupMember,
  type BrokerMembership,
  type FrameToAppend,
  type GroupMirror,
  type PartitionDescription,
  type Position,
  type StoredFrame,
  type StreamCluster,
  type StreamDriver,
  type StreamMemory,
  type StreamReader,
  type TrimRequest,
} from '../../driver/stream-driver.js'
import { streamErrors } from '../../errors.js'
import { describeCluster } from './describe-cluster.js'
import { BrokerGroups } from './group/broker-groups.js'
import type { KafkaClient, ProduceOutcome } from './kafka-client.js'
import { comparePositions, offsetAfter, positionOf } from './position.js'
import { KafkaReader } from './reader.js'
import { prepareTopic, type TopicSettings } from './topic.js'

/** Times and limits of the Kafka driver, and the settings of its topics. */
export interface KafkaDriverConfig extends Partial<TopicSettings> {
  /** An append without an answer after this long counts as ambiguous, in ms. Default 1,500. */
  readonly appendTimeoutMs?: number
}

/** What a Kafka driver works with. */
export interface KafkaDriverDeps {
  /** Closed with the driver. */
  readonly client: KafkaClient
  readonly logger: Logger
}

const TAIL_LIMITS = { framesMax: Number.MAX_SAFE_INTEGER, bytesMax: 4 * 1024 * 1024, blockMs: 0 }
const MIB = 1024 ** 2
/** Idle readers of `tail` that a stream keeps. */
const IDLE_READERS_MAX = 4
/**
 * Kafka removes whole segments: it looks for them every log.retention.check.interval.ms (default 5 minutes) and deletes their files after
 * file.delete.delay.ms (default 1 minute).
 */
const FREED_AFTER_MS = 390_000

/**
 * A frame costs a broker several times as much as Redis, so fewer and larger ones pay: at 20,000 records/s in 16 partitions an append each 13 ms holds 16
 * records a frame.
 */
const LINGER_GROWTH = { recordsPerSecond: 1500, msMax: 20 }

/** Streams in Kafka: one topic a stream, one message a frame. Works with any `KafkaClient`. */
export class KafkaDriver implements StreamDriver {
  readonly name = 'kafka'
  readonly assignment = 'broker'
  readonly lingerGrowth = LINGER_GROWTH
  readonly comparePositions = comparePositions
  readonly #config: KafkaDriverConfig
  readonly #client: KafkaClient
  /** Topics that this driver has been asked for; `memory` counts their bytes. */
  readonly #topics = new Set<string>()
  readonly #readers = new Set<StreamReader>()
  /** Readers that `tail` has used, by stream. A new one opens several connections, and consumers measure their lag every second. */
  readonly #idle = new Map<string, StreamReader[]>()
  readonly #groups: BrokerGroups
  /** Partitions of each stream that was prepared. */
  readonly #partitions = new Map<string, number>()

  constructor(config: KafkaDriverConfig, { client, logger }: KafkaDriverDeps) {
    this.#config = config
    this.#client = client
    this.#groups = new BrokerGroups({
      openCoordinator: (topic, group) => client.openCoordinator(topic, group),
      commitAlone: (group, topic, offsets) => client.commitOffsets(group, topic, offsets),
      logger,
    })
  }

  prepare(stream: string, partitions: number, windowMs = -1): Promise<void> {
    const { replicationFactor = -1, minInsyncReplicas, retentionMs = windowMs, frameBytesMax = 16 * MIB } = this.#config
    this.#partitions.set(stream, partitions)
    const settings = { partitions, replicationFactor, minInsyncReplicas, retentionMs, frameBytesMax }
    return this.#guard('preparing the topic', () => prepareTopic(this.#client, this.#topic(stream), settings))
  }

  /** Offsets of acknowledged frames are never assigned again, as long as unclean leader elections are off. */
  safeStart(position: Position): Position {
    return position
  }

  async append(stream: string, frames: readonly FrameToAppend[]): Promise<AppendResult[]> {
    const timestampMs = Date.now()
    const messages = frames.map(({ partition, frame }) => ({ partition, value: frame, timestampMs }))
    const timeoutMs = this.#config.appendTimeoutMs ?? 1_500
    return (await this.#client.produce(this.#topic(stream), messages, { timeoutMs })).map(toResult)
  }

  async openReader(stream: string): Promise<StreamReader> {
    const topic = this.#topic(stream)
    const reader: KafkaReader = new KafkaReader({
      topic,
      openFetcher: () => this.#client.openFetcher(),
      offsets: async (partition) => {
        const [offsets] = await this.#client.offsets(topic, [partition])
        return offsets as NonNullable<typeof offsets>
      },
      closed: () => this.#readers.delete(reader),
    })
    this.#readers.add(reader)
    return reader
  }

  describe(stream: string, partitions: readonly number[]): Promise<PartitionDescription[]> {
    return this.#guard('describing the stream', async () => {
      const offsets = await this.#client.offsets(this.#topic(stream), partitions)
      return offsets.map(({ partition, earliest, latest }) => ({
        partition,
        first: earliest === latest ? BEGINNING : positionOf(earliest),
        last: positionOf(latest - 1),
        frames: latest - earliest,
        framesEver: latest,
      }))
    })
  }

  tail(stream: string, partition: number, frames: number): Promise<StoredFrame[]> {
    return this.#guard('reading the newest frames', async () => {
      const [ends] = await this.#client.offsets(this.#topic(stream), [partition])
      const { earliest, latest } = ends as NonNullable<typeof ends>
      const from = Math.max(earliest, latest - frames)
      const idle = this.#idleReaders(stream)
      const reader = idle.pop() ?? (await this.openReader(stream))
      const newest: StoredFrame[] = []
      let isReusable = false
      try {
        reader.seek(partition, positionOf(from - 1))
        while (newest.length < latest - from) {
          const read = await reader.read(TAIL_LIMITS)
          if (read.length === 0) break
          newest.push(...read.filter(({ position }) => offsetAfter(position) <= latest))
        }
        reader.remove(partition)
        isReusable = idle.length < IDLE_READERS_MAX
      } finally {
        if (isReusable) idle.push(reader)
        else await reader.close()
      }
      return newest.reverse()
    })
  }

  positionAt(stream: string, partition: number, timeMs: number): Promise<Position> {
    return this.#guard('looking for a time', async () => {
      const topic = this.#topic(stream)
      const offset = await this.#client.offsetAt(topic, partition, timeMs)
      if (offset !== undefined) return positionOf(offset - 1)
      const [ends] = await this.#client.offsets(topic, [partition])
      return positionOf((ends as NonNullable<typeof ends>).latest - 1)
    })
  }

  trim(stream: string, partition: number, { before, framesMax, newest }: TrimRequest): Promise<number> {
    return this.#guard('trimming the stream', async () => {
      if (before === BEGINNING) return 0
      const topic = this.#topic(stream)
      const [ends] = await this.#client.offsets(topic, [partition])
      const { earliest, latest } = ends as NonNullable<typeof ends>
      if (newest !== undefined && newest !== positionOf(latest - 1)) return 0
      const offset = Math.min(offsetAfter(before) - 1, earliest + Math.floor(framesMax ?? latest))
      // A position beyond the end is from a topic that was deleted; its offset says nothing about the frames of this one.
      if (offset <= earliest || offsetAfter(before) > latest) return 0
      const outcome = await this.#client.deleteRecords(topic, [{ partition, offset }])
      return outcome === 'deleted' ? offset - earliest : 0
    })
  }

  retentionMs(stream: string): Promise<number | undefined> {
    return this.#guard('reading the retention of the topic', async () => {
      const topic = await this.#client.describeTopic(this.#topic(stream))
      const retentionMs = Number(topic?.configs['retention.ms'] ?? -1)
      return retentionMs < 0 ? undefined : retentionMs
    })
  }

  describeCluster(stream: string): Promise<StreamCluster> {
    return this.#guard('describing the cluster', () => describeCluster(this.#client, this.#topic(stream)))
  }

  mirrorGroup(stream: string, group: string, positions: readonly GroupMirror[]): Promise<void> {
    const offsets = positions.map(({ partition, position, framesRead }) => ({
      partition,
      offset: position === BEGINNING ? framesRead : offsetAfter(position),
    }))
    return this.#guard('copying group positions', () => this.#groups.commit(this.#topic(stream), group, offsets))
  }

  /** Call `prepare` first: the members share the partitions that it was given. */
  joinGroup(member: BrokerGroupMember, listener: BrokerGroupListener): Promise<BrokerMembership> {
    const topic = this.#topic(member.stream)
    const partitions = this.#partitions.get(member.stream) ?? 0
    return this.#guard('joining the group', () => this.#groups.join({ topic, partitions }, member, listener))
  }

  memory(): Promise<StreamMemory> {
    return this.#guard('reading the size of the logs', async () => {
      const bytes = await this.#client.logBytes([...this.#topics])
      return { usedBytes: bytes?.usedBytes ?? 0, ceilingBytes: bytes?.ceilingBytes, freedAfterMs: FREED_AFTER_MS }
    })
  }

  async close(): Promise<void> {
    for (const reader of [...this.#readers]) await reader.close()
    await this.#groups.close()
    await this.#client.close()
  }

  #topic(stream: string): string {
    const topic = streamTopic(stream)
    this.#topics.add(topic)
    return topic
  }

  #idleReaders(stream: string): StreamReader[] {
    const idle = this.#idle.get(stream) ?? []
    this.#idle.set(stream, idle)
    return idle
  }

  async #guard<T>(action: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      if (streamErrors.STREAM_CONFIG.matches(cause) || streamErrors.STREAM_UNAVAILABLE.matches(cause)) throw cause
      throw streamErrors.STREAM_UNAVAILABLE({ message: `${action}: ${(cause as Error).message}`, cause })
    }
  }
}

export function createKafkaDriver(config: KafkaDriverConfig, deps: KafkaDriverDeps): StreamDriver {
  return new KafkaDriver(config, deps)
}

function toResult(outcome: ProduceOutcome): AppendResult {
  if (outcome.kind === 'stored') return { kind: 'held', position: positionOf(outcome.offset) }
  const { isAmbiguous, isFull, cause } = outcome
  return isFull && !isAmbiguous ? { kind: 'full', cause } : { kind: 'unavailable', isAmbiguous, cause }
}
