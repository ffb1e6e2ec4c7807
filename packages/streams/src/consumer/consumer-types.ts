import type { Logger } from '@millrace/logger'
import type { Tracer } from '@millrace/telemetry'
import type { StreamDriver } from '../driver/stream-driver.js'
import type { ConsumerMetrics } from './consumer-metrics.js'
import type { SqlTransaction, StreamDatabase } from './database-port.js'
import type { StreamHandler } from './stream-handler.js'

/** Told after each commit, once a partition: what `?wait=stored` and receipts wait for. */
export interface CommittedNotice {
  readonly stream: string
  readonly partition: number
  /** Highest sequence committed in this batch, by producer id. */
  readonly producers: Readonly<Record<string, number>>
}

export interface ConsumerSettings {
  /** Default 16. */
  readonly partitions: number
  /** At most so many records in one transaction, about. Default 10,000. */
  readonly batchRecordsMax: number
  /** At most so many frames in one transaction. Default 500. */
  readonly batchFramesMax: number
  /** At most so many stored bytes in one transaction, about. Default 16 MiB. */
  readonly batchBytesMax: number
  /** How long a first frame waits for company at low load, in ms. Default 5. */
  readonly batchLingerMs: number
  /** How long one read waits for frames, in ms. Default 5,000. */
  readonly blockMs: number
  /** A member that is silent so long loses its partitions, in ms. Default 30,000. */
  readonly leaseMs: number
  /** How often leases are renewed and shares compared, in ms. Default a sixth of `leaseMs`, at most 1,000. */
  readonly heartbeatMs: number
  /** Retries after a fault: default 3, first after 100 ms, doubled up to 5,000 ms, with jitter; then every `retryCapMs`, with the partitions shown as blocked. */
  readonly retryAttempts: number
  readonly retryFirstMs: number
  readonly retryCapMs: number
  /** A member that is blocked for so long while another works leaves its partitions to the others, for twice as long each time, in ms. Default 30,000. */
  readonly leaveAfterMs: number
  /** How often `wantsCommit` is asked when nothing comes, in ms. Default 1,000. */
  readonly idleCommitMs: number
  /** How often group positions are shown to the stream's own tools, in ms. Default 1,000. */
  readonly mirrorMs: number
  /** How often lag is measured and old frames are trimmed, in ms. Default 10,000. */
  readonly maintenanceMs: number
  /** Frames beyond so many records in the stream (all partitions) are trimmed. Default 10,000,000. */
  readonly windowRecords: number
  /** Frames older than this are trimmed, in ms. Default 30 days. */
  readonly windowMs: number
  /** A producer that has sent nothing to a partition for so long is forgotten there, in ms; at least `windowMs`. Default 180 days. */
  readonly producerMemoryMs: number
  /** How often silent producers are looked for, in ms. Default an hour. */
  readonly forgetMs: number
  /** Above this share of the memory ceiling more is trimmed than the windows ask. Default 0.5. */
  readonly trimMemoryShare: number
  /** A call of the handler that takes longer counts as hung and its leases are not renewed, in ms. Default 5 leases, at least 60,000. */
  readonly hungAfterMs: number
}

export interface ConsumerConfig<Prepared, Tx extends SqlTransaction> {
  readonly driver: StreamDriver
  readonly stream: string
  readonly group: string
  /** For people, in `stream_members` and logs; made unique by the engine. */
  readonly member: string
  readonly database: StreamDatabase<Tx>
  readonly handler: StreamHandler<Prepared, Tx>
  readonly settings?: Partial<ConsumerSettings>
}

export interface ConsumerDeps {
  readonly logger: Logger
  readonly metrics?: ConsumerMetrics
  /** For a span around each transaction that follows the traces in its frames. Default: none. */
  readonly tracer?: Tracer
  /** Must not throw; not awaited. */
  readonly onCommitted?: (notices: readonly CommittedNotice[]) => void
  /** Monotonic ms. Default performance.now. */
  readonly monotonicMs?: () => number
  /** From 0 to 1, for jitter. Default Math.random. */
  readonly random?: () => number
}

export interface ConsumerState {
  readonly member: string
  /** Partitions held at present. */
  readonly partitions: readonly number[]
  /** Why nothing is committed, or undefined. */
  readonly blockedReason: string | undefined
  /** Records in the stream that are not committed yet, by partition held; as of the last measurement. */
  readonly lagRecords: ReadonlyMap<number, number>
}

export interface Consumer {
  state(): ConsumerState
  /** Commits what has been prepared, gives the partitions back at once and resolves when all is closed. */
  stop(): Promise<void>
}
