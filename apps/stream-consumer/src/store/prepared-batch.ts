import type { ConsumedCounts } from '@millrace/streams'
import type { DedupWindows } from '../deduplicate/dedup-windows.js'
import type { FrameView } from './frame-view.js'

/** The verdicts, as numbers in the journal. */
export const VERDICT = { stored: 0, duplicate: 1, deadLettered: 2 } as const

/** The tenant under which unreadable frames are counted, because their own cannot be read. */
export const UNKNOWN_TENANT = 0

/** A frame of the `events` stream. Ordinals count the records of a partition from 0. */
export interface EventFrame {
  readonly partition: number
  readonly position: string
  readonly producer: string
  readonly sequence: number
  readonly records: number
  readonly firstOrdinal: number
  readonly payload: Buffer
  /** Holds replayed dead letters, which were counted as accepted when they first came. */
  readonly isReplay: boolean
  /** A record with an earlier time is late, ms since 1970; null when the frame has no late record. */
  readonly lateBeforeMs: number | null
}

/** A frame and the verdicts on its records. `verdicts` is null as long as every record is stored. */
export interface PreparedFrame {
  readonly frame: EventFrame
  /** null when the payload cannot be read; then all its records are dead letters. */
  readonly view: FrameView | null
  /** The keys of deduplication: see `eventKeys`. */
  readonly hashes: Int32Array
  verdicts: Uint8Array | null
  duplicates: number
  deadLettered: number
}

/**
 * The rows of one UTC day, ready for COPY. Row i is the bytes offsets[i] to offsets[i + 1] of a buffer that all days
 * of a batch share, and comes from record origins[i] of the batch.
 */
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

/** The result of `prepareBatch`. The database is still unchanged. */
export interface PreparedBatch {
  readonly frames: readonly PreparedFrame[]
  readonly days: readonly DayRows[]
  readonly ledger: ConsumedCounts
  /** New records that also need a row in a typed table. */
  readonly typed: readonly RecordRef[]
  readonly windows: DedupWindows
  /** The records to store: record i is number `indexOf[i]` of the frame `frames[frameOf[i]]`. */
  readonly frameOf: Uint32Array
  readonly indexOf: Uint32Array
}
