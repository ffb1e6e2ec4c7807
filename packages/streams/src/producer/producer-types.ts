/** Collects the records of one partition until they become the payload of a frame. Only the caller writes to it. */
export interface BatchBuilder {
  readonly records: number
  /** Approximate bytes collected so far. */
  readonly bytes: number
  readonly isEmpty: boolean
  /** Earliest and latest event time of the records, ms since 1970; infinite when there is none. */
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  /**
   * Returns the finished payload, in the first bytes of `into` if it fits. Called once, after the last record was added. The payload is copied
   * before another builder is sealed.
   */
  seal(into: Buffer): Buffer
}

/** A frame that is safe: the stream holds it, or (`isSpooled`) it is fsynced on this machine's disk and will be sent in order. */
export interface AppendedFrame {
  readonly partition: number
  readonly sequence: number
  readonly isSpooled: boolean
}

/**
 * The open batch of a partition. Add to `builder` in the same turn of the event loop in which `open` returned it: the batch may be sealed in the
 * next one.
 */
export interface OpenBatch<Builder extends BatchBuilder> {
  readonly builder: Builder
  /**
   * One promise for all records of the batch. Resolves when their frame is safe.
   * @throws (rejects with) STREAM_UNAVAILABLE, STREAM_SPOOL_FULL, STREAM_FULL or STREAM_CLOSED. The frame may still be stored later if an append or
   * a write of it ended without an answer.
   */
  readonly appended: Promise<AppendedFrame>
  /**
   * Adds the W3C traceparent of a sampled request whose records are in this batch, so that the consumer's spans continue its trace. Call it in the
   * same turn as `open`. A frame holds the first 8.
   */
  addTrace(traceparent: string): void
}

/**
 * Collects records in batches, seals them as frames and appends them to the stream, or to the spool while the stream
 * is down.
 */
export interface Producer<Builder extends BatchBuilder> {
  /** UUID of this run of the producer; every frame that it seals carries it. */
  readonly id: string
  readonly partitions: number
  /**
   * The open batch of a partition.
   * @throws STREAM_OVERLOADED, STREAM_FULL, STREAM_DISK_FULL, STREAM_SPOOL_FULL, STREAM_UNAVAILABLE or STREAM_CLOSED, with `retryAfterSeconds`; no
   * record was accepted.
   */
  open(partition: number): OpenBatch<Builder>
  /**
   * For a readiness check: whether records would be accepted now. It also finds out what `open` finds out only with the next frame: that the stream cannot
   * be reached and that the spool could not take the frame either.
   * @throws the reason, as `open` does
   */
  check(): void
  /** Sends all open batches without waiting for the linger; resolves when every batch that was open so far is settled. */
  flush(): Promise<void>
  counts(): ProducerCounts
  /**
   * Refuses new records and flushes: to the stream for at most `timeoutMs` (default `closeTimeoutMs`), then to the spool. Spooled frames stay on
   * disk and are sent after the next start.
   */
  close(timeoutMs?: number): Promise<void>
}

/** Counts of frames since the start. */
export interface ProducerCounts {
  /** Frames that the stream has taken since the start, drained ones included. */
  readonly heldFrames: number
  /** Frames written to the spool since the start. */
  readonly spooledFrames: number
  /** Frames that are in the spool at present. */
  readonly spoolFrames: number
  readonly spoolBytes: number
  /** Bytes of sealed frames that are not acknowledged yet. */
  readonly unacknowledgedBytes: number
}

/** Which disks have too little room. Read for each record, so it must be cheap. */
export interface ProducerDisks {
  /** Records are refused with STREAM_DISK_FULL while it is true, so that the stream's server keeps room to work. */
  readonly isStreamDiskFull: boolean
  /** The spool counts as full while it is true. */
  readonly isSpoolDiskFull: boolean
}
