import type { Position } from '../driver/stream-driver.js'
import type { FrameHeader } from '../frame/frame.js'
import type { SqlTransaction } from './database-port.js'

/** A frame as the stream gave it, checked and unpacked. */
export interface ReceivedFrame {
  readonly partition: number
  readonly position: Position
  readonly appendedAtMs: number
  readonly header: FrameHeader
  /** As it was before compression. Of use until `committed`; a view of a larger buffer, so copy what is kept. */
  readonly payload: Buffer
  /** W3C traceparents of sampled requests whose records are in it; absent where there are none. Not checked. */
  readonly traces?: readonly string[]
}

/** A frame that this group has not seen before. */
export interface NewFrame extends ReceivedFrame {
  /** Ordinal of its first record: records of a partition are numbered from 0 in stream order, and never numbered again. */
  readonly firstOrdinal: number
  /** No watermark that was committed for the partition before this frame is later, whoever owned it; ms since 1970. */
  readonly watermarkMaxMs: number
}

/** Frames to be committed together: in stream order within a partition, partitions mixed. May be empty, see `StreamHandler.wantsCommit`. */
export interface FrameBatch {
  readonly frames: readonly NewFrame[]
  readonly records: number
}

export interface AssignedPartition {
  readonly partition: number
  readonly epoch: number
  /** Everything up to here is committed. */
  readonly position: Position
  readonly nextOrdinal: number
  /** Up to here the handler had reported its state as flushed. Never trust the position alone: compare ordinals. */
  readonly flushedPosition: Position
  readonly flushedOrdinal: number
}

export interface AssignContext {
  /**
   * The frames after `flushedPosition` up to `position`, for rebuilding state that is written less often than it is committed.
   * A frame that was sent twice may come twice, and after a loss in the stream some may be missing: take a frame only when the handler's own
   * journal has it under the same position with a first ordinal of at least `flushedOrdinal`, and rebuild from stored rows when the ordinals
   * that came do not reach from `flushedOrdinal` to `nextOrdinal`.
   */
  replay(partition: number): AsyncIterable<ReceivedFrame>
}

/** What the handler has made durable in this transaction, by partition; `ordinal` is the first one that is not included. */
export type FlushedPositions = ReadonlyMap<number, { readonly position: Position; readonly ordinal: number }>

/**
 * Makes the effects of frames. The engine calls one method at a time, except that `prepare` of the next batch may run while `apply` of the
 * one before it is waiting. After any failed transaction everything is revoked and assigned again.
 */
export interface StreamHandler<Prepared, Tx extends SqlTransaction> {
  /** Load the state of these partitions; frames of them come afterwards. Throwing gives them back and tries again later. */
  assigned(partitions: readonly AssignedPartition[], context: AssignContext): Promise<void>
  /** Memory alone, no I/O that matters. */
  prepare(batch: FrameBatch): Prepared | Promise<Prepared>
  /**
   * Effects inside the transaction. Returns what was flushed with it when the handler keeps state between commits; a handler that
   * returns nothing has flushed everything of the batch.
   */
  apply(prepared: Prepared, tx: Tx): Promise<FlushedPositions> | Promise<void>
  /** The transaction of `prepared` is committed. Must not throw. */
  committed?(prepared: Prepared): void
  /** Forget these partitions. Must not throw. */
  revoked(partitions: readonly number[]): void
  /** Asked about once a second when no frames come: true asks for a commit of an empty batch, so that state can be flushed. */
  wantsCommit?(): boolean
  /** The consumer stops and no more frames come: whatever is kept back is due now, and `wantsCommit` is asked once more. Must not throw. */
  stopping?(): void
}
