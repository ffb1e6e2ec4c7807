import type { Position } from '../driver/stream-driver.js'
import type { FrameHeader } from '../frame/frame.js'
import type { KnownProducer, TakenPartition } from './group-table.js'

/** What a frame is, given the sequences seen so far. */
export interface Acceptance {
  readonly firstOrdinal: number
  /** Missing frames of the same producer before this one, and the records in them. */
  readonly lostFrames: number
  readonly lostRecords: number
}

interface ProducerState {
  sequence: number
  records: number
  lostRecords: number
}

/** The part of a commit about one partition. */
export interface PartitionCommit {
  readonly partition: number
  readonly epoch: number
  readonly position: Position
  readonly nextOrdinal: number
  readonly frames: number
  /** Append time of the newest frame, ms since 1970; undefined when no frame came. */
  readonly watermarkMs: number | undefined
  /** Event times of the records, ms; undefined when there are none. */
  readonly firstTimeMs: number | undefined
  readonly lastTimeMs: number | undefined
  readonly producers: readonly {
    readonly producer: string
    readonly sequence: number
    readonly records: number
    readonly lostRecords: number
  }[]
}

/** The state of one partition in memory. It is ahead of the partition's row by the frames that were read and are not committed; a failed transaction discards it. */
export class PartitionState {
  readonly partition: number
  readonly epoch: number
  position: Position
  nextOrdinal: number
  frames: number
  /** As of the last commit. */
  committedPosition: Position
  committedOrdinal: number
  committedFrames: number
  lagRecords = 0
  readonly #producers = new Map<string, ProducerState>()
  readonly #touched = new Map<string, ProducerState>()
  /** Whether a producer's first frame may have any sequence, because older frames were trimmed before the group began. */
  readonly #acceptsAnyFirstSequence: boolean
  #watermarkMs: number | undefined
  #watermarkMaxMs: number
  #endSeenAtMs: number | undefined
  #firstTimeMs = Number.POSITIVE_INFINITY
  #lastTimeMs = Number.NEGATIVE_INFINITY

  constructor(taken: TakenPartition, producers: readonly KnownProducer[], acceptsAnyFirstSequence: boolean) {
    this.partition = taken.partition
    this.epoch = taken.epoch
    this.position = this.committedPosition = taken.position
    this.nextOrdinal = this.committedOrdinal = taken.nextOrdinal
    this.frames = this.committedFrames = taken.frames
    this.#watermarkMaxMs = taken.watermarkMs ?? Number.NEGATIVE_INFINITY
    this.#acceptsAnyFirstSequence = acceptsAnyFirstSequence
    for (const { producer, sequence, records } of producers)
      this.#producers.set(producer, { sequence, records, lostRecords: 0 })
  }

  /** Moves the position to an entry that was read for the first time, whether or not it is a valid frame. */
  advance(position: Position, appendedAtMs: number): void {
    this.position = position
    this.frames++
    if (this.#watermarkMs === undefined || appendedAtMs > this.#watermarkMs) this.#watermarkMs = appendedAtMs
    if (appendedAtMs > this.#watermarkMaxMs) this.#watermarkMaxMs = appendedAtMs
  }

  /** Notes that the end of the stream, as described at `askedAtMs`, is committed. Has no effect when frames were read meanwhile. */
  noteEnd(askedAtMs: number): void {
    if (this.position !== this.committedPosition) return
    this.#endSeenAtMs = askedAtMs
    if (askedAtMs > this.#watermarkMaxMs) this.#watermarkMaxMs = askedAtMs
  }

  /** When the partition was last observed to be committed up to its end, ms since 1970. */
  get endSeenAtMs(): number | undefined {
    return this.#endSeenAtMs
  }

  /** The latest watermark that may have been written for the partition so far, or will be before the next frame, ms since 1970. */
  get watermarkMaxMs(): number {
    return this.#watermarkMaxMs
  }

  isNew({ producer, sequence }: FrameHeader): boolean {
    return sequence > (this.#producers.get(producer)?.sequence ?? 0)
  }

  /** Counts a new frame and numbers its records. */
  accept(header: FrameHeader): Acceptance {
    const known = this.#producers.get(header.producer)
    const firstOrdinal = this.nextOrdinal
    const lostFrames =
      known === undefined && this.#acceptsAnyFirstSequence ? 0 : header.sequence - (known?.sequence ?? 0) - 1
    const lostRecords =
      lostFrames === 0 ? 0 : Math.max(0, header.cumulativeRecords - header.records - (known?.records ?? 0))
    const state = known ?? { sequence: 0, records: 0, lostRecords: 0 }
    state.sequence = header.sequence
    state.records = header.cumulativeRecords
    state.lostRecords += lostRecords
    this.#producers.set(header.producer, state)
    this.#touched.set(header.producer, state)
    this.nextOrdinal += header.records
    if (header.firstTimeMs < this.#firstTimeMs) this.#firstTimeMs = header.firstTimeMs
    if (header.lastTimeMs > this.#lastTimeMs) this.#lastTimeMs = header.lastTimeMs
    return { firstOrdinal, lostFrames, lostRecords }
  }

  /** Records of this producer that were read. */
  recordsOf(producer: string): number {
    return this.#producers.get(producer)?.records ?? 0
  }

  /** Whether anything was read since the last `takeCommit`. */
  get isChanged(): boolean {
    return this.#watermarkMs !== undefined || this.#touched.size > 0
  }

  /** The changes since the last call, to be written in the next transaction. */
  takeCommit(): PartitionCommit {
    const producers = [...this.#touched].map(([producer, state]) => {
      const { sequence, records, lostRecords } = state
      state.lostRecords = 0
      return { producer, sequence, records, lostRecords }
    })
    const commit: PartitionCommit = {
      partition: this.partition,
      epoch: this.epoch,
      position: this.position,
      nextOrdinal: this.nextOrdinal,
      frames: this.frames,
      watermarkMs: this.#watermarkMs,
      firstTimeMs: finite(this.#firstTimeMs),
      lastTimeMs: finite(this.#lastTimeMs),
      producers,
    }
    this.#touched.clear()
    this.#watermarkMs = undefined
    this.#firstTimeMs = Number.POSITIVE_INFINITY
    this.#lastTimeMs = Number.NEGATIVE_INFINITY
    return commit
  }

  /** A commit that repeats the partition's row: for a partition without new frames that is flushed or only fenced. */
  repeatCommit(): PartitionCommit {
    return {
      partition: this.partition,
      epoch: this.epoch,
      position: this.committedPosition,
      nextOrdinal: this.committedOrdinal,
      frames: this.committedFrames,
      watermarkMs: undefined,
      firstTimeMs: undefined,
      lastTimeMs: undefined,
      producers: [],
    }
  }

  committed({ position, nextOrdinal, frames }: PartitionCommit): void {
    this.committedPosition = position
    this.committedOrdinal = nextOrdinal
    this.committedFrames = frames
  }
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}
