/**
 * A place in one partition of a stream. Its text belongs to the driver: others store it and pass it back, and never parse it.
 * A position names a frame; reading "after" it gives the next frame. `BEGINNING` lies before every frame.
 */
export type Position = string

/** The position before the first frame. */
export const BEGINNING: Position = ''

/** A sealed frame on its way to the stream. */
export interface FrameToAppend {
  readonly partition: number
  /** A whole frame with its header. The driver does not change it, and does not keep it after the append has settled. */
  readonly frame: Buffer
}

/**
 * The result of one append.
 * - `held`: the stream has stored the frame, as durably as it is configured.
 * - `full`: the stream has no memory left; the frame was not stored.
 * - `unavailable`: the frame was not stored, or (`isAmbiguous`) it may have been stored. Send the same frame again.
 */
export type AppendResult =
  | { readonly kind: 'held'; readonly position: Position }
  | { readonly kind: 'full'; readonly cause: Error }
  | { readonly kind: 'unavailable'; readonly isAmbiguous: boolean; readonly cause: Error }

/** A frame as it is in the stream. */
export interface StoredFrame {
  readonly partition: number
  readonly position: Position
  /** When the frame was appended, by the stream's clock, in ms since 1970. */
  readonly appendedAtMs: number
  readonly bytes: Buffer
}

/** The ends of a partition in the stream. */
export interface PartitionDescription {
  readonly partition: number
  /** Position of the oldest frame in the stream; BEGINNING when it is empty. */
  readonly first: Position
  /** The highest position that was ever assigned, as far as the stream remembers; BEGINNING when there is none. */
  readonly last: Position
  /** Frames in the stream at present. */
  readonly frames: number
  /** Frames that were ever appended, including trimmed ones; undefined when the stream cannot tell. */
  readonly framesEver: number | undefined
}

/** How much one read returns, and how long it waits. */
export interface ReadLimits {
  /** Most frames to return, approximately. */
  readonly framesMax: number
  /** Most bytes to return, approximately; at least one frame is returned if there is one. */
  readonly bytesMax: number
  /** How long to wait for a first frame, in ms; 0 returns at once. */
  readonly blockMs: number
}

/** Reads partitions, each in order. Call one `read` at a time. */
export interface StreamReader {
  /** Reads `partition` from the frame after `after` on, also if it is being read already. Ends a waiting `read`. */
  seek(partition: number, after: Position): void
  /** Stops reading `partition`; ignore its frames that a running `read` still returns. Ends a waiting `read`. */
  remove(partition: number): void
  /**
   * The next frames, in order within each partition; empty when none arrived within `blockMs` or when `wake`, `seek` or `remove` ended the wait. With
   * `blockMs: 0` it returns what the servers have, without the partitions of a server that does not answer while others do.
   * @throws STREAM_UNAVAILABLE when the connection is lost. The next call continues after the last frame that was returned; call `describe` first,
   * since the stream may have lost its newest frames meanwhile.
   */
  read(limits: ReadLimits): Promise<StoredFrame[]>
  /** Ends a waiting `read` at once. */
  wake(): void
  close(): Promise<void>
}

/** A position to be shown to standard tools such as XINFO GROUPS. */
export interface GroupMirror {
  readonly partition: number
  readonly position: Position
  /** Frames of the partition up to `position`, including trimmed ones. */
  readonly framesRead: number
}

/** How much memory the stream's server uses. */
export interface StreamMemory {
  readonly usedBytes: number
  /** Undefined when memory is not limited. */
  readonly ceilingBytes: number | undefined
  /** How long after trimming the server frees what was removed, in ms. Default 0. */
  readonly freedAfterMs?: number
}

/** The brokers that hold a stream, for health reports. */
export interface StreamCluster {
  readonly brokers: readonly { readonly id: number; readonly host: string; readonly port: number }[]
  /** The broker that clients send administrative requests to. */
  readonly controller: number | undefined
  /** Brokers that should hold replicas of the stream and are not there. */
  readonly missingBrokers: readonly number[]
  /** Partitions of the stream in these states. */
  readonly partitions: {
    readonly total: number
    /** Some replicas are not in sync. */
    readonly underReplicated: number
    /** Too few replicas are in sync to store anything. */
    readonly belowMinInsync: number
    /** There is no leader. */
    readonly offline: number
  }
  /** Sentences about settings of the topic because of which acknowledged events may be lost. */
  readonly problems: readonly string[]
}

/** What may be removed from a partition. */
export interface TrimRequest {
  /** Frames at or after this position are never removed. */
  readonly before: Position
  /** Most frames to remove, oldest first. Default: all frames before `before`. */
  readonly framesMax?: number
  /** Nothing is removed unless the newest frame of the partition has this position. Checked together with the removal, so that no frame can come in between. */
  readonly newest?: Position
}

/**
 * How producers let an open batch wait for more records as their load grows: 1 ms for each `recordsPerSecond`, at most `msMax`. The dearer a frame is
 * for all that handle it, the longer a wait pays.
 */
export interface LingerGrowth {
  readonly recordsPerSecond: number
  readonly msMax: number
}

/** A member that joins a group which the broker manages. */
export interface BrokerGroupMember {
  readonly stream: string
  readonly group: string
  /** Name of this run of the member, for logs. */
  readonly member: string
  /**
   * A name that stays the same when the process is started again (Kafka's group.instance.id): the broker then keeps the partitions for it until the
   * session times out. Undefined: the partitions go to others at once when the member leaves.
   */
  readonly instance: string | undefined
  /** The broker gives the partitions of a member to others when it has not heard of it for this long, in ms. */
  readonly sessionTimeoutMs: number
}

/** Called by a broker that assigns partitions itself. */
export interface BrokerGroupListener {
  /** The broker has assigned these partitions to this member. */
  assigned(partitions: readonly number[]): void
  /** The broker has revoked these partitions; another member may own them already. */
  revoked(partitions: readonly number[]): void
}

/** Membership in a group that the broker manages. It joins again by itself after a loss; the listener learns of each change. */
export interface BrokerMembership {
  /** Never rejects and ends within seconds, also when the broker does not answer. The listener is not called any more. */
  leave(): Promise<void>
}

/**
 * A partitioned log. Every driver passes the same test suite (`@millrace/streams/testing`). Consumers deduplicate frames, so a driver may store a
 * frame twice, but it must never lose or reorder frames that it has reported as held.
 */
export interface StreamDriver {
  /** Short and constant, for logs and metric labels. */
  readonly name: 'memory' | 'redis' | 'kafka'
  /** How members get their partitions: by leases in PostgreSQL, or from the broker through `joinGroup`. Positions are in PostgreSQL in both cases. */
  readonly assignment: 'leases' | 'broker'
  /** Default: 1 ms for each 4,000 records/s, at most 10 ms. */
  readonly lingerGrowth?: LingerGrowth
  /**
   * Creates what a stream needs before it is used (a Kafka topic), unless it exists. `windowMs`: how long the server may keep frames if this client may
   * not remove them itself.
   */
  prepare(stream: string, partitions: number, windowMs?: number): Promise<void>
  /** Negative, 0 or positive when `a` lies before, at or after `b` in one partition. */
  comparePositions(a: Position, b: Position): number
  /**
   * A position at or before `position` such that every frame appended after a failover lies after it, even if the new primary assigns lower
   * positions than the old one. A consumer starts there and drops frames that it has seen.
   */
  safeStart(position: Position): Position
  /**
   * Appends all frames in one round trip (one a node) and returns one result a frame, in the given order. At most one frame a partition; the caller
   * keeps one frame a partition in flight, which preserves order. Never rejects.
   */
  append(stream: string, frames: readonly FrameToAppend[]): Promise<AppendResult[]>
  openReader(stream: string): Promise<StreamReader>
  /**
   * A partition that cannot be described at present, because it has no leader or its server does not answer, is missing in the result: the others
   * can be used. Treat it as unknown: neither read it nor conclude anything about it.
   * @throws STREAM_UNAVAILABLE when none can be described. All methods below throw it, too.
   */
  describe(stream: string, partitions: readonly number[]): Promise<PartitionDescription[]>
  /** The newest frames of a partition, newest first. */
  tail(stream: string, partition: number, frames: number): Promise<StoredFrame[]>
  /** A position before every frame that was appended at or after `timeMs`, and after the older frames, approximately. */
  positionAt(stream: string, partition: number, timeMs: number): Promise<Position>
  /** Removes old frames and returns how many. May remove fewer than requested, never more. */
  trim(stream: string, partition: number, request: TrimRequest): Promise<number>
  /**
   * After this time the server removes frames by itself, whether or not a group has read them, in ms; undefined when it never does. Default: never.
   */
  retentionMs?(stream: string): Promise<number | undefined>
  /** Only where the stream is on a cluster of brokers. */
  describeCluster?(stream: string): Promise<StreamCluster>
  /** Copies the group's positions to the stream, for its own tools. Nothing reads the copy. */
  mirrorGroup(stream: string, group: string, positions: readonly GroupMirror[]): Promise<void>
  memory(): Promise<StreamMemory>
  /** Required when `assignment` is 'broker'. */
  joinGroup?(member: BrokerGroupMember, listener: BrokerGroupListener): Promise<BrokerMembership>
  /** Closes the connections that the driver opened itself. */
  close(): Promise<void>
}
