import type { PartitionDescription, Position, StreamDriver } from '../driver/stream-driver.js'
import type { PartitionState } from './partition-state.js'

/** The reads of a session so far. One that has started and not ended is under way. */
export interface ReadCounts {
  readonly started: number
  readonly ended: number
  /** Time spent in reads, including the one under way, in ms. */
  readonly totalMs: number
}

/** What a session shows to the watchdog. */
export interface WatchedSession {
  readonly states: ReadonlyMap<number, PartitionState>
  readonly reads: ReadCounts
  /** Ends the session with this error, also while a read does not end. */
  abort(error: Error): void
}

/** What a session does not read although the stream has it. */
export interface Stall {
  /** Partitions with frames that were not read, with the position at which they stand still. */
  readonly partitions: ReadonlyMap<number, Position>
  /** Whether a read was under way the whole time. */
  readonly isReadHung: boolean
}

/** What is done about a stall: each step is taken when the one before has not helped, and the last one is repeated. */
export type StallStep = 'rebuild_reader' | 'leave_group' | 'alarm'

interface Observation {
  readonly position: Position
  readonly hasUnread: boolean
  /** Since when it stands still, counting only time in which the session was reading. */
  readonly standsStill: Reading
}

/** What a session has read in some time. */
interface Reading {
  /** Time between observations with at least one read. */
  readonly ms: number
  /** The part of it that was spent in reads. */
  readonly readMs: number
  readonly reads: number
}

interface DetectorConfig {
  readonly stallAfterMs: number
  /** Longest time that a read may wait for frames, in ms. */
  readonly readMsMax: number
}

/** Parts of `stallAfterMs` that the time between two observations counts at most: a process that was suspended has not waited for frames. */
const STEPS_MIN = 5

/**
 * Reads for each held partition without a frame of a partition after which it is not just waiting for its turn. Needed only when reads take less than
 * half of the time, since few large batches and a slow handler may leave out a partition for longer than `stallAfterMs`.
 */
const TURNS_MIN = 4

const NOTHING: Reading = { ms: 0, readMs: 0, reads: 0 }

/**
 * Finds partitions of one session that have unread frames while reads return none of them, and a read that does not end. Only time in which the
 * session was reading counts, so a slow handler is no stall.
 */
export class StallDetector {
  readonly #driver: StreamDriver
  readonly #config: DetectorConfig
  readonly #now: () => number
  #partitions = new Map<number, Observation>()
  #reads: ReadCounts = { started: 0, ended: 0, totalMs: 0 }
  #hungMs = 0
  #observedAtMs = Number.NaN

  constructor(config: DetectorConfig, { driver, now }: { readonly driver: StreamDriver; readonly now: () => number }) {
    this.#config = config
    this.#driver = driver
    this.#now = now
  }

  /** Forgets what was observed: nothing stands still until it has been observed for the whole time again. */
  reset(): void {
    this.#partitions.clear()
    this.#hungMs = 0
    this.#observedAtMs = Number.NaN
  }

  observe({ states, reads }: WatchedSession, descriptions: readonly PartitionDescription[]): Stall {
    const { stallAfterMs, readMsMax } = this.#config
    const now = this.#now()
    const elapsedMs = Number.isNaN(this.#observedAtMs)
      ? 0
      : Math.min(now - this.#observedAtMs, stallAfterMs / STEPS_MIN)
    const isReading = reads.started > reads.ended
    const ended = reads.ended - this.#reads.ended
    const readMs = Math.min(elapsedMs, reads.totalMs - this.#reads.totalMs)
    const reading = isReading || ended > 0 ? { ms: elapsedMs, readMs, reads: ended } : NOTHING
    const next = new Map<number, Observation>()
    for (const description of descriptions) {
      const state = states.get(description.partition)
      if (state !== undefined) next.set(state.partition, this.#observeOne(state, description, reading))
    }
    this.#hungMs = isReading && reads.started === this.#reads.started ? this.#hungMs + elapsedMs : 0
    this.#partitions = next
    this.#reads = { ...reads }
    this.#observedAtMs = now
    const stalled = [...next].filter(
      ([, { standsStill }]) =>
        standsStill.ms >= stallAfterMs &&
        (standsStill.readMs >= stallAfterMs / 2 || standsStill.reads >= TURNS_MIN * states.size),
    )
    return {
      partitions: new Map(stalled.map(([partition, { position }]) => [partition, position])),
      isReadHung: this.#hungMs >= stallAfterMs + readMsMax,
    }
  }

  #observeOne(
    { partition, position }: PartitionState,
    description: PartitionDescription,
    reading: Reading,
  ): Observation {
    const hasUnread = description.frames > 0 && this.#driver.comparePositions(description.last, position) > 0
    const before = this.#partitions.get(partition)
    const stoodStill = hasUnread && before?.hasUnread === true && before.position === position
    return { position, hasUnread, standsStill: stoodStill ? add(before.standsStill, reading) : NOTHING }
  }
}

function add(a: Reading, b: Reading): Reading {
  return { ms: a.ms + b.ms, readMs: a.readMs + b.readMs, reads: a.reads + b.reads }
}
