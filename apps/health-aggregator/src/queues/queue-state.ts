import type { Database } from '@millrace/database'
import {
  decodeFrameHeader,
  findExpiringPartitions,
  type PartitionDescription,
  type StreamDriver,
} from '@millrace/streams'
import type { PartitionPosition } from '../ledger/ledger-rows.js'

export interface QueueScope {
  readonly stream: string
  readonly group: string
  readonly partitions: number
}

export interface PartitionLag {
  readonly partition: number
  /** Records in the stream that are not stored yet, by the counts in the newest frames; null while the stream cannot be reached. */
  readonly lagRecords: number | null
  readonly owner: string | null
  readonly blockedReason: string | null
  readonly watermark: string | null
}

export interface QueueState {
  readonly partitions: readonly PartitionLag[]
  /** Partitions from which the server will soon remove frames by their age, although a group has not stored them. Empty while the stream cannot be reached. */
  readonly expiringPartitions: readonly number[]
  /** Dead letters that are neither replayed nor discarded yet. */
  readonly deadLetters: number
}

/** Number of newest frames that are read of each partition, so that every active producer is likely among them. */
const NEWEST_FRAMES = 4

/** Reads where the partitions of the stream end and how far the consumers are. Works without the stream; lags are unknown then. */
export function createQueues(scope: QueueScope, deps: { database: Database; driver: StreamDriver }) {
  const { stream, group, partitions } = scope
  const all = Array.from({ length: partitions }, (_, partition) => partition)
  const { database, driver } = deps

  async function readEnds(): Promise<PartitionPosition[]> {
    const described = await driver.describe(stream, all)
    // Without the end of every partition nothing tells when all counted records are read.
    if (described.length < all.length) throw new Error('not all partitions of the stream can be described at present')
    return described.map(({ partition, last }) => ({ partition, position: last }))
  }

  async function readState(): Promise<QueueState> {
    const [rows, described, deadLetters, expiringPartitions] = await Promise.all([
      database.query<PartitionRow>({ name: 'queue_partitions', text: PARTITIONS, values: [group, stream] }),
      driver.describe(stream, all).catch(() => null),
      database.query<{ pending: bigint }>({ name: 'queue_dead_letters', text: DEAD_LETTERS, values: [stream] }),
      findExpiring().catch(() => []),
    ])
    const stored = new Map(rows.rows.map((row) => [row.partition, row]))
    const lags = await Promise.all(
      all.map((partition) => describePartition(partition, stored.get(partition), described)),
    )
    return { partitions: lags, expiringPartitions, deadLetters: Number(deadLetters.rows[0]?.pending ?? 0n) }
  }

  /** Not only the consumers look for them: they may be what is down. */
  async function findExpiring(): Promise<readonly number[]> {
    if (driver.retentionMs === undefined) return []
    const { rows } = await database.query<{ partition: number; position: string }>({
      name: 'queue_flushed',
      text: FLUSHED,
      values: [stream],
    })
    return (await findExpiringPartitions(driver, stream, rows)).partitions
  }

  async function describePartition(
    partition: number,
    row: PartitionRow | undefined,
    described: PartitionDescription[] | null,
  ): Promise<PartitionLag> {
    const end = described?.find((one) => one.partition === partition)
    return {
      partition,
      lagRecords: end === undefined ? null : await measureLag(partition, row?.position ?? '', end).catch(() => null),
      owner: row?.owner ?? null,
      blockedReason: row?.blocked_reason ?? null,
      watermark: row?.watermark?.toISOString() ?? null,
    }
  }

  /** Each frame carries the number of records of its producer so far; `stream_producers` holds how many of them the consumer has read. */
  async function measureLag(partition: number, position: string, end: PartitionDescription): Promise<number> {
    if (end.last === '' || driver.comparePositions(position, end.last) >= 0) return 0
    const frames = await driver.tail(stream, partition, NEWEST_FRAMES)
    const newest = new Map<string, number>()
    for (const { bytes } of frames) {
      const { producer, cumulativeRecords } = decodeFrameHeader(bytes)
      newest.set(producer, Math.max(newest.get(producer) ?? 0, cumulativeRecords))
    }
    const { rows } = await database.query<{ producer: string; records: bigint }>({
      name: 'queue_producers',
      text: PRODUCERS,
      values: [group, stream, partition, [...newest.keys()]],
    })
    const read = new Map(rows.map(({ producer, records }) => [producer, Number(records)]))
    let lag = 0
    for (const [producer, records] of newest) lag += Math.max(0, records - (read.get(producer) ?? 0))
    return lag
  }

  return { readEnds, readState }
}

export type Queues = ReturnType<typeof createQueues>

interface PartitionRow {
  partition: number
  position: string
  owner: string | null
  blocked_reason: string | null
  watermark: Date | null
}

const PARTITIONS = `select partition, position, owner, blocked_reason, watermark from stream_partitions
  where group_name = $1 and stream = $2 order by partition`
/** Of every group of the stream. */
const FLUSHED = `select partition, flushed_position as position from stream_partitions where stream = $1`
/** Few rows match, and the table is small. */
const DEAD_LETTERS = `select count(*) as pending from dead_letters where stream = $1 and state in ('pending', 'replaying')`
const PRODUCERS = `select producer::text as producer, records from stream_producers
  where group_name = $1 and stream = $2 and partition = $3 and producer = any ($4::uuid[])`
