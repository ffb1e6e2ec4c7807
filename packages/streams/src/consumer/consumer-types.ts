import type { Logger } from '@millrace/logger'
import type { Tracer } from '@millrace/telemetry'
import type { StreamDriver } from '../driver/stream-driver.js'
import type { ConsumerMetrics } from './consumer-metrics.js'
import type { SqlTransaction, StreamDatabase } from './database-port.js'
import type { StreamHandler } from './stream-handler.js'

/** Reported once a partition after each commit. Requests with `?wait=stored` and receipts wait for it. */
export interface CommittedNotice {
  readonly stream: string
  readonly partition: number
  /** Highest sequence committed in this batch, by producer id. */
  readonly producers: Readonly<Record<string, number>>
}

/** Limits and times of a consumer. */
export interface ConsumerSettings {
  /** Default 16. */
  readonly partitions: number
  /** Most records in one transaction, approximately. Default 10,000. */
  readonly batchRecordsMax: number
  /** Most frames in one transaction. Default 500. */
  readonly batchFramesMax: number
  /** Most bytes of compressed frames in one transaction, approximately. Default 16 MiB. */
  readonly batchBytesMax: number
  /** How long a batch waits for more frames at low load, in ms. Default 5. */
  readonly batchLingerMs: number
  /** How long one read waits for frames, in ms. Default 5,000. */
  readonly blockMs: number
  /** A member without a heartbeat for this long loses its partitions, in ms. Default 30,000. */
  readonly leaseMs: number
  /** Time between heartbeats, which renew leases and compare shares, in ms. Default a sixth of `leaseMs`, at most 1,000. */
  readonly heartbeatMs: number
  /**
   * Retries of a failed batch: default 3, the first after `retryFirstMs` (100), each later one after twice the time, with jitter. Afterwards the
   * partitions are shown as blocked, with a retry every `retryCapMs` (5,000).
   */
  readonly retryAttempts: number
  readonly retryFirstMs: number
  readonly retryCapMs: number
  /**
   * A member that is blocked for this long while another member commits leaves the group and returns after the same time, doubled at each
   * repetition, in ms. Default 30,000.
   */
  readonly leaveAfterMs: number
  /** How often `wantsCommit` is called when no frames come, in ms. Default 1,000. */
  readonly idleCommitMs: number
  /** How often lag is measured and positions are shown to the stream's own tools, in ms. Default 1,000. */
  readonly mirrorMs: number
  /** How often old frames are trimmed, in ms. Default 10,000. */
  readonly maintenanceMs: number
  /** Records that the stream keeps in all partitions together; older frames are trimmed. Default 10,000,000. */
  readonly windowRecords: number
  /** Frames older than this are trimmed, in ms. Default 30 days. */
  readonly windowMs: number
  /** A producer that has sent nothing to a partition for this long is forgotten there, in ms; at least `windowMs`. Default 180 days. */
  readonly producerMemoryMs: number
  /** How often silent producers are forgotten, in ms. Default an hour. */
  readonly forgetMs: number
  /** Above this share of the memory ceiling, frames inside the windows are trimmed as well. Default 0.5. */
  readonly trimMemoryShare: number
  /**
   * When a partition has unread frames and reads return none of them for this long, the reader is replaced; if that does not help, the member leaves
   * the group, and then an alarm is raised, in ms. Default 30,000.
   */
  readonly stallAfterMs: number
  /** A call of the handler that takes longer counts as hung, and the member's leases are not renewed, in ms. Default 5 leases, at least 60,000. */
  readonly hungAfterMs: number
}

/** The stream, the group and the handler of a consumer. */
export interface ConsumerConfig<Prepared, Tx extends SqlTransaction> {
  readonly driver: StreamDriver
  readonly stream: string
  readonly group: string
  /** Readable name for `stream_members` and logs; the consumer makes it unique. */
  readonly member: string
  /**
   * Only where the broker assigns partitions: a name that no other running member has and that stays the same when this process is started again
   * (static membership, Kafka's group.instance.id). Default: none.
   */
  readonly instance?: string | undefined
  readonly database: StreamDatabase<Tx>
  readonly handler: StreamHandler<Prepared, Tx>
  readonly settings?: Partial<ConsumerSettings>
}

/** What a consumer works with. */
export interface ConsumerDeps {
  readonly logger: Logger
  readonly metrics?: ConsumerMetrics
  /** Records a span for each transaction, which continues the traces in its frames. Default: none. */
  readonly tracer?: Tracer
  /** Must not throw; is not awaited. */
  readonly onCommitted?: (notices: readonly CommittedNotice[]) => void
  /** Monotonic ms. Default performance.now. */
  readonly monotonicMs?: () => number
  /** From 0 to 1, for jitter. Default Math.random. */
  readonly random?: () => number
}

/** What a consumer is doing at this moment. */
export interface ConsumerState {
  readonly member: string
  /** Partitions held at present. */
  readonly partitions: readonly number[]
  /** Why batches keep failing, or undefined. */
  readonly blockedReason: string | undefined
  /** Partitions that this member cannot read although they have frames; empty until a new reader and a new membership have not helped. */
  readonly stalledPartitions: readonly number[]
  /** Records in the stream that are not committed yet, by held partition; from the last measurement. */
  readonly lagRecords: ReadonlyMap<number, number>
}

/** A running member of a consumer group. */
export interface Consumer {
  state(): ConsumerState
  /**
   * Commits prepared batches, releases the partitions at once and resolves when everything is closed. After about `timeoutMs` (default 20,000) it resolves
   * although the stream or the database does not answer: partitions that could not be released become free when their leases expire.
   */
  stop(timeoutMs?: number): Promise<void>
}
