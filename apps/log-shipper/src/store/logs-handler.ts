import type { Database, DayPartitions, Step, Transaction } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import {
  type AssignContext,
  type AssignedPartition,
  addConsumedStatement,
  ConsumedCounts,
  type FlushedPositions,
  type FrameBatch,
  type StreamHandler,
} from '@millrace/streams'
import type { ShipperMetrics } from '../metrics.js'
import type { MemoryTail, TailWindow } from '../tail/memory-tail.js'
import type { BatchToStore, BuiltWindow } from './build-chunks.js'
import type { ChunkRow } from './chunk-row.js'
import { type PreparedFrame, prepareFrame } from './prepare-frame.js'
import { copyChunks, type DeadFrame, insertDeadFrames, noteFlushed } from './store-statements.js'

export interface LogsHandlerConfig {
  readonly stream: string
  readonly group: string
  /** A window is written when it has this many lines, */
  readonly windowLines: number
  /** when its oldest line is this old, in ms, */
  readonly windowMs: number
  /** or when its batches have this many bytes. */
  readonly tailBytesMax: number
}

export interface LogsHandlerDeps {
  readonly database: Database
  readonly dayPartitions: DayPartitions
  readonly tail: MemoryTail
  /** Makes the chunks of a window. */
  readonly build: (batches: readonly BatchToStore[]) => BuiltWindow | Promise<BuiltWindow>
  readonly metrics: ShipperMetrics
  readonly logger: Logger
  readonly monotonicMs: () => number
}

export interface PreparedLogs {
  readonly frames: readonly PreparedFrame[]
  /** Filled by `apply` when it writes a window. */
  window?: TailWindow
  chunks: number
}

/**
 * Stores the frames of the `logs` stream. Each commit moves the position; the lines stay in the memory tail, where searches find them, until a window of
 * them is written as chunks together with the flushed position, in one transaction. After a failure or a takeover the tail is read again from the stream.
 */
export class LogsHandler implements StreamHandler<PreparedLogs, Transaction> {
  readonly #config: LogsHandlerConfig
  readonly #deps: LogsHandlerDeps
  #isStopping = false

  constructor(config: LogsHandlerConfig, deps: LogsHandlerDeps) {
    this.#config = config
    this.#deps = deps
  }

  async assigned(partitions: readonly AssignedPartition[], context: AssignContext): Promise<void> {
    const known = await this.#readFlushed(partitions.map(({ partition }) => partition))
    for (const assigned of partitions) await this.#rebuild(assigned, context, known)
  }

  prepare({ frames }: FrameBatch): PreparedLogs {
    return { frames: frames.map((frame) => prepareFrame(frame, frame.firstOrdinal)), chunks: 0 }
  }

  async apply(prepared: PreparedLogs, tx: Transaction): Promise<FlushedPositions> {
    const { tail, monotonicMs } = this.#deps
    const { stream } = this.#config
    const counts = new ConsumedCounts()
    const dead: DeadFrame[] = []
    for (const frame of prepared.frames) {
      tail.add(frame, frame.batches, monotonicMs())
      countRead(frame, counts)
      if (frame.dead !== undefined) dead.push(frame.dead)
    }
    const steps: Step[] = []
    if (dead.length > 0) steps.push(insertDeadFrames(stream, dead))
    let flushed: FlushedPositions = new Map()
    if (this.#isDue()) {
      const window = tail.window()
      const rows = await this.#build(window)
      countStored(window, counts)
      if (rows.length > 0) steps.push(copyChunks(rows))
      if (window.producers.length > 0) steps.push(noteFlushed(this.#config, window.producers))
      prepared.window = window
      prepared.chunks = rows.length
      flushed = window.flushed
    }
    const sorted = counts.sorted()
    if (sorted.length > 0) steps.push(addConsumedStatement(stream, sorted))
    if (steps.length > 0) await tx.pipeline(steps)
    return flushed
  }

  committed({ frames, window, chunks }: PreparedLogs): void {
    const { logger, metrics, tail } = this.#deps
    for (const { dead } of frames) {
      if (dead === undefined) continue
      const { partition, position, reason } = dead
      logger.error('a frame of log lines cannot be read and became a dead letter', { partition, position, reason })
    }
    if (window === undefined) return
    tail.flushed(window)
    metrics.noteWindow(
      window.batches.reduce((sum, { lines }) => sum + lines, 0),
      chunks,
    )
  }

  revoked(partitions: readonly number[]): void {
    for (const partition of partitions) this.#deps.tail.close(partition)
    // A day partition may have been dropped, which may be the reason for the failure.
    this.#deps.dayPartitions.forget()
  }

  wantsCommit(): boolean {
    return this.#isDue()
  }

  stopping(): void {
    this.#isStopping = true
  }

  #isDue(): boolean {
    const { tail, monotonicMs } = this.#deps
    if (tail.oldestMs === undefined) return false
    const { windowLines, windowMs, tailBytesMax } = this.#config
    return (
      this.#isStopping ||
      tail.lines >= windowLines ||
      tail.bytes >= tailBytesMax ||
      monotonicMs() - tail.oldestMs >= windowMs
    )
  }

  /** Builds all chunks and creates the day partitions that they need. */
  async #build({ batches }: TailWindow): Promise<readonly ChunkRow[]> {
    const { build, dayPartitions, logger } = this.#deps
    const { rows, unproven } = await build(batches)
    for (const reason of unproven)
      logger.error('a chunk of log lines could not be built and is stored without an index', { reason })
    for (const day of new Set(rows.map(({ dayMs }) => dayMs)))
      if (!dayPartitions.isKnown('log_chunks', day)) await dayPartitions.ensure('log_chunks', day, day)
    return rows
  }

  async #readFlushed(partitions: readonly number[]): Promise<ReadonlyMap<string, number>> {
    const { rows } = await this.#deps.database.query<{ partition: number; producer: string; last_sequence: bigint }>(
      `select partition, producer::text as producer, last_sequence from log_flushed
       where group_name = $1 and stream = $2 and partition = any($3::smallint[])`,
      [this.#config.group, this.#config.stream, [...partitions]],
    )
    return new Map(rows.map((row) => [`${row.partition} ${row.producer}`, Number(row.last_sequence)]))
  }

  /** Reads the frames between the flushed and the committed position again. Which of them are new is decided by their sequences, as it was the first time. */
  async #rebuild(
    { partition, flushedPosition, flushedOrdinal, nextOrdinal }: AssignedPartition,
    context: AssignContext,
    known: ReadonlyMap<string, number>,
  ): Promise<void> {
    const { tail, logger, monotonicMs } = this.#deps
    tail.open(partition, { position: flushedPosition, ordinal: flushedOrdinal })
    const sequences = new Map<string, number>()
    for await (const received of context.replay(partition)) {
      const { producer, sequence } = received.header
      if (sequence <= (sequences.get(producer) ?? known.get(`${partition} ${producer}`) ?? 0)) continue
      sequences.set(producer, sequence)
      const frame = prepareFrame(received, tail.nextOrdinal(partition))
      tail.add(frame, frame.batches, monotonicMs())
    }
    tail.ready(partition)
    const found = tail.nextOrdinal(partition)
    if (found !== nextOrdinal)
      logger.error('the stream no longer holds log lines that were not in a chunk yet: they are lost', {
        partition,
        lines: nextOrdinal - found,
        flushed_ordinal: flushedOrdinal,
        next_ordinal: nextOrdinal,
      })
  }
}

/** Lines count as accepted when they are read, and as stored when their window is written. */
function countRead(
  { partition, producer, records, batches, refused, dead }: PreparedFrame,
  counts: ConsumedCounts,
): void {
  if (dead !== undefined) {
    const count = counts.of(partition, producer, 0)
    count.accepted += records
    count.deadLettered += records
  }
  for (const { tenantId, lines } of batches) counts.of(partition, producer, tenantId).accepted += lines
  for (const [tenantId, lines] of refused) {
    const count = counts.of(partition, producer, tenantId)
    count.accepted += lines
    count.rejected += lines
  }
}

function countStored({ batches }: TailWindow, counts: ConsumedCounts): void {
  for (const { partition, producer, tenantId, lines } of batches)
    counts.of(partition, producer, tenantId).stored += lines
}
