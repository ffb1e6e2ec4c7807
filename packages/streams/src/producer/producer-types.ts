/** What the records of one partition are collected in until they become a frame's payload. Written to by the caller alone. */
export interface BatchBuilder {
  readonly records: number
  /** Bytes collected so far, about. */
  readonly bytes: number
  readonly isEmpty: boolean
  /** Event times of the records, ms since 1970; infinite when there is none. */
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  /**
   * The finished payload, in the first bytes of `into` where that has room for it. Called once; nothing is added afterwards, and the payload is
   * done with before anything else is sealed.
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
 * The batch that a partition collects at present. Add to `builder` in the same turn of the event loop in which `open` returned it:
 * it may be sealed in the next one.
 */
export interface OpenBatch<Builder extends BatchBuilder> {
  readonly builder: Builder
  /**
   * Settles for everything in this batch at once; share it, it is one promise for all records.
   * @throws (rejects with) STREAM_UNAVAILABLE, STREAM_SPOOL_FULL, STREAM_FULL or STREAM_CLOSED. The frame may be stored all the same, later, when an append of it came to no
   * answer; one that was refused for want of room otherwise is not.
   */
  readonly appended: Promise<AppendedFrame>
  /**
   * Names a request whose records are in this batch, by its W3C traceparent, so that whoever stores them can go on with its trace. For sampled
   * requests; in the same turn as `open`. A frame holds the first 8.
   */
  addTrace(traceparent: string): void
}

export interface Producer<Builder extends BatchBuilder> {
  /** UUID of this process life; every frame it seals carries it. */
  readonly id: string
  readonly partitions: number
  /**
   * The open batch of a partition.
   * @throws STREAM_OVERLOADED, STREAM_FULL, STREAM_SPOOL_FULL or STREAM_CLOSED, with `retryAfterSeconds`; nothing was taken then.
   */
  open(partition: number): OpenBatch<Builder>
  /** Sends what is open without waiting for the linger; resolves when everything opened so far is settled. */
  flush(): Promise<void>
  counts(): ProducerCounts
  /**
   * Refuses new records and flushes: to the stream for at most `timeoutMs` (default `closeTimeoutMs`), then to the spool. Spooled frames stay on
   * disk and are sent after the next start.
   */
  close(timeoutMs?: number): Promise<void>
}

export interface ProducerCounts {
  /** Held by the stream since the start, spool drained included. */
  readonly heldFrames: number
  /** Fsynced in the spool since the start. */
  readonly spooledFrames: number
  /** Still in the spool. */
  readonly spoolFrames: number
  readonly spoolBytes: number
  /** Sealed and not yet acknowledged to the caller. */
  readonly unacknowledgedBytes: number
}
