import type { DedupWindows } from '../deduplicate/dedup-windows.js'
import type { FrameView } from './frame-view.js'
import type { LedgerCounts } from './ledger-counts.js'

/** Verdicts as the journal holds them. */
export const VERDICT = { stored: 0, duplicate: 1, deadLettered: 2 } as const

/** Frames whose payload is no record batch belong to no tenant that could be read; they are counted under this id. */
export const UNKNOWN_TENANT = 0

/** A frame of the `events` stream as the consumer needs it. Ordinals count the records of a partition from 0. */
export interface EventFrame {
  readonly partition: number
  readonly position: string
  readonly producer: string
  readonly sequence: number
  readonly records: number
  readonly firstOrdinal: number
  readonly payload: Buffer
  /** Holds dead letters that were put back: they were counted as accepted when they first came. */
  readonly isReplay: boolean
  /** A record with an earlier time changes what was already answered, ms since 1970; null when the frame cannot hold one. */
  readonly lateBeforeMs: number | null
}

/** A frame with one verdict a record; null as long as every record is stored. */
export interface PreparedFrame {
  readonly frame: EventFrame
  /** null when the payload cannot be read; all its records are dead letters then. */
  readonly view: FrameView | null
  /** Two words a record, low lane first, as the journal and the window take them; zeros when the payload cannot be read. */
  readonly hashes: Int32Array
  verdicts: Uint8Array | null
  duplicates: number
  deadLettered: number
}

/** Rows of one UTC day, ready for COPY, in a buffer that all days of a batch share; row i is bytes offsets[i] to offsets[i + 1] and record origins[i] of the batch. */
export interface DayRows {
  readonly dayMs: number
  readonly buffer: Buffer
  readonly offsets: Uint32Array
  readonly origins: Uint32Array
}

/** One record of a batch. */
export interface RecordRef {
  readonly frame: PreparedFrame
  readonly index: number
}

/** What `prepareBatch` made of some frames. Nothing in it has touched the database yet. */
export interface PreparedBatch {
  readonly frames: readonly PreparedFrame[]
  readonly days: readonly DayRows[]
  readonly ledger: LedgerCounts
  /** New records whose flags ask for a row in a typed table. */
  readonly typed: readonly RecordRef[]
  readonly windows: DedupWindows
  /** Records that would be stored: `frameOf[i]` is an index in frames, `indexOf[i]` the record's index in that frame. */
  readonly frameOf: Uint32Array
  readonly indexOf: Uint32Array
}
