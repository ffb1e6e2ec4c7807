/**
 * A place in one partition of a stream: the driver's own text, to be stored and handed back, never parsed outside the driver.
 * A position names a frame that has been read; reading "after" it gives the next one. `BEGINNING` lies before every frame.
 */
export type Position = string

export const BEGINNING: Position = ''

export interface FrameToAppend {
  readonly partition: number
  /** A whole frame, header included. Not changed and not kept by the driver once the append has settled. */
  readonly frame: Buffer
}

/**
 * What became of one append.
 * - `held`: the stream has it, as durably as it is configured to.
 * - `full`: refused for want of memory; it is not in the stream.
 * - `unavailable`: nobody knows (`isAmbiguous`: it may have been stored) or it certainly was not. Send the same frame again.
 */
export type AppendResult =
  | { readonly kind: 'held'; readonly position: Position }
  | { readonly kind: 'full'; readonly cause: Error }
  | { readonly kind: 'unavailable'; readonly isAmbiguous: boolean; readonly cause: Error }

export interface StoredFrame {
  readonly partition: number
  readonly position: Position
  /** When the stream took it, by the stream's clock, in ms since 1970. */
  readonly appendedAtMs: number
  readonly bytes: Buffer
}

export interface PartitionDescription {
  readonly partition: number
  /** Of the oldest frame still held; BEGINNING when there is none. */
  readonly first: Position
  /** The highest position ever given out, as far as the stream remembers; BEGINNING when none was. */
  readonly last: Position
  /** Frames held at present. */
  readonly frames: number
  /** Frames appended since the partition was made, trimmed ones included; undefined when the stream cannot tell. */
  readonly framesEver: number | undefined
}

export interface ReadLimits {
  /** At most so many frames, about. */
  readonly framesMax: number
  /** At most so many bytes, about: at least one frame is returned where there is one. */
  readonly bytesMax: number
  /** How long to wait for a first frame, in ms; 0 does not wait. */
  readonly blockMs: number
}

/** Reads the partitions it was given, each in order. One `read` at a time. */
export interface StreamReader {
  /** Reads `partition` from the frame after `position` on; moves it when it is being read already. Ends a waiting `read`. */
  seek(partition: number, after: Position): void
  /** Stops reading `partition`; frames of it that a running `read` still returns are to be ignored. Ends a waiting `read`. */
  remove(partition: number): void
  /**
   * The next frames, in order within each partition; empty when none came within `blockMs` or when `wake`, `seek` or `remove` ended the wait.
   * @throws STREAM_UNAVAILABLE when the connection is lost. The next call reads on where the last one that returned had ended; call
   * `describe` first, since the stream may have lost its end meanwhile.
   */
  read(limits: ReadLimits): Promise<StoredFrame[]>
  /** Ends a waiting `read` at once. */
  wake(): void
  close(): Promise<void>
}

export interface GroupMirror {
  readonly partition: number
  readonly position: Position
  /** Frames of the partition up to `position`, trimmed ones included. */
  readonly framesRead: number
}

export interface StreamMemory {
  readonly usedBytes: number
  /** Undefined when the stream has no ceiling. */
  readonly ceilingBytes: number | undefined
}

export interface TrimRequest {
  /** Frames at or after this position stay, whatever else is asked. */
  readonly before: Position
  /** At most so many of the oldest frames go. Default: all that lie before. */
  readonly framesMax?: number
}

export interface BrokerGroupListener {
  /** The broker gave these to this member; read them through the membership's reader. */
  assigned(partitions: readonly number[]): void
  /** The broker took these away; they may be somebody else's already. */
  revoked(partitions: readonly number[]): void
}

export interface BrokerMembership {
  readonly reader: StreamReader
  leave(): Promise<void>
}

/**
 * A partitioned log. Redis Streams, Kafka and memory stand behind it and pass the same suite (`@millrace/streams/testing`).
 * Effects of a group are made exactly once above it, so a driver may store a frame twice, but must never lose or reorder a held one.
 */
export interface StreamDriver {
  /** Short and constant, for logs and metric labels. */
  readonly name: 'memory' | 'redis' | 'kafka'
  /** Who gives partitions to members: leases in PostgreSQL, or the broker through `joinGroup`. Positions live in PostgreSQL either way. */
  readonly assignment: 'leases' | 'broker'
  /** Makes what must exist before a stream is used (a Kafka topic); does nothing when it is there. */
  prepare(stream: string, partitions: number): Promise<void>
  /** Negative, 0 or positive as `a` lies before, at or after `b` in one partition. */
  comparePositions(a: Position, b: Position): number
  /**
   * A position at or before `position`, such that every frame appended after a fail-over lies behind it, even when the new primary gives out
   * lower positions than the old one did. A consumer starts there and drops what it has seen.
   */
  safeStart(position: Position): Position
  /**
   * Sends all frames in one round trip (a trip a node where there are several) and says what became of each, in the order given.
   * At most one frame a partition; the caller keeps one in flight a partition, which keeps order. Never rejects.
   */
  append(stream: string, frames: readonly FrameToAppend[]): Promise<AppendResult[]>
  openReader(stream: string): Promise<StreamReader>
  /** @throws STREAM_UNAVAILABLE, as do all methods below. */
  describe(stream: string, partitions: readonly number[]): Promise<PartitionDescription[]>
  /** The newest frames of a partition, newest first; fewer when it holds fewer. */
  tail(stream: string, partition: number, frames: number): Promise<StoredFrame[]>
  /** A position before every frame that was appended at or after `timeMs`, and at or after every older one, about. */
  positionAt(stream: string, partition: number, timeMs: number): Promise<Position>
  /** Removes old frames and says how many went. May leave a few more than asked, never fewer. */
  trim(stream: string, partition: number, request: TrimRequest): Promise<number>
  /** Shows the group's positions to the stream's own tools. A copy for people: nothing reads it back. */
  mirrorGroup(stream: string, group: string, positions: readonly GroupMirror[]): Promise<void>
  memory(): Promise<StreamMemory>
  /** Only where `assignment` is 'broker'. */
  joinGroup?(stream: string, group: string, member: string, listener: BrokerGroupListener): Promise<BrokerMembership>
  /** Closes the connections that the driver opened itself. */
  close(): Promise<void>
}
