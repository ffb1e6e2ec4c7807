import type { Position } from '../driver/stream-driver.js'
import type { FrameHeader } from '../frame/frame.js'
import type { SqlTransaction } from './database-port.js'

/** A frame read from the stream, decoded and decompressed. */
export interface ReceivedFrame {
  readonly partition: number
  readonly position: Position
  readonly appendedAtMs: number
  readonly header: FrameHeader
  /** Decompressed. Valid until `committed`; a view of a larger buffer, so copy what you keep. */
  readonly payload: Buffer
  /** W3C traceparents of sampled requests whose records are in the frame; absent when there are none. Not validated. */
  readonly traces?: readonly string[]
}

/** A frame that this group has not seen before. */
export interface NewFrame extends ReceivedFrame {
  /** Ordinal of its first record: the records of a partition are numbered from 0 in stream order, each once. */
  readonly firstOrdinal: number
  /** The latest watermark that any owner may have committed for the partition before this frame, ms since 1970. */
  readonly watermarkMaxMs: number
}

/** Frames that are committed together: in stream order within a partition, partitions mixed. May be empty, see `StreamHandler.wantsCommit`. */
export interface FrameBatch {
  readonly frames: readonly NewFrame[]
  readonly records: number
}

/** A partition that this member now owns. */
export interface AssignedPartition {
  readonly partition: number
  readonly epoch: number
  /** The committed position of the group. */
  readonly position: Position
  readonly nextOrdinal: number
  /** The position that the handler last reported as flushed. Never trust the position alone: compare ordinals. */
  readonly flushedPosition: Position
  readonly flushedOrdinal: number
}

/** What a handler may use while it loads the state of a partition. */
export interface AssignContext {
  /**
   * Reads the frames after `flushedPosition` up to `position` again, to rebuild state that is flushed less often than it is committed.
   * A frame that was sent twice may come twice, and after a loss in the stream frames may be missing. So use a frame only if the handler's own
   * journal has it at the same position with a first ordinal of at least `flushedOrdinal`, and rebuild from stored rows if the ordinals do not
   * cover the range from `flushedOrdinal` to `nextOrdinal`.
   */
  replay(partition: number): AsyncIterable<ReceivedFrame>
}

/** The position up to which the handler has flushed its state in this transaction, by partition; `ordinal` is the first record that is not included. */
export type FlushedPositions = ReadonlyMap<number, { readonly position: Position; readonly ordinal: number }>

/**
 * Writes the effects of frames. The consumer calls one method at a time, except that `prepare` of the next batch may run while `apply` of the
 * previous batch is waiting. After a failed transaction all partitions are revoked and assigned again.
 */
export interface StreamHandler<Prepared, Tx extends SqlTransaction> {
  /** Loads the state of these partitions; their frames come afterwards. When it throws, the partitions are released and tried again later. */
  assigned(partitions: readonly AssignedPartition[], context: AssignContext): Promise<void>
  /** Works in memory, without notable I/O. */
  prepare(batch: FrameBatch): Prepared | Promise<Prepared>
  /**
   * Writes the effects inside the transaction. A handler that keeps state between commits returns the positions that it has flushed; a handler that
   * returns nothing has flushed the whole batch.
   */
  apply(prepared: Prepared, tx: Tx): Promise<FlushedPositions> | Promise<void>
  /** Called when the transaction of `prepared` is committed. Must not throw. */
  committed?(prepared: Prepared): void
  /** Drops the state of these partitions. Must not throw. */
  revoked(partitions: readonly number[]): void
  /** Called about once a second when no frames come. Returns true to get an empty batch committed, so that state can be flushed. */
  wantsCommit?(): boolean
  /** Called when the consumer stops and no more frames come; `wantsCommit` is called once more afterwards, to flush the rest. Must not throw. */
  stopping?(): void
}
