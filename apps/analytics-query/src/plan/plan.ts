import type { LevelSeconds } from '@millrace/rollups'
import type { TimeRange } from '../query/time-range.js'

/** The series of rollups that answer a query. */
export interface SeriesChoice {
  /** An event name; null for the built-in series of all events. */
  readonly event: string | null
  readonly dimensions: readonly string[]
  readonly property: string | null
}

/**
 * How unflushed records are added: `none` when there are none in the ranges of the rollups, `read` when they are read
 * from raw rows, `left_out` when the answer shows the state of the last flush.
 */
export type Unflushed =
  | { readonly mode: 'none' }
  | { readonly mode: 'read'; readonly rows: number; readonly ranges: readonly TimeRange[] }
  | { readonly mode: 'left_out'; readonly rows: number; readonly reason: string }

/** Ranges of whole windows of one level. */
export interface RollupPart {
  readonly level: LevelSeconds
  /** Whether these minutes are read from the 5-minute windows around them, which hold them packed. */
  readonly isPacked: boolean
  readonly ranges: readonly TimeRange[]
}

/**
 * From what each part of the range of a query is answered. The ranges of `rollup` and `raw` are disjoint and together
 * the whole range.
 */
export interface Plan {
  readonly source: 'rollup' | 'raw' | 'mixed'
  readonly series: SeriesChoice | null
  readonly rollup: readonly RollupPart[]
  readonly raw: readonly TimeRange[]
  readonly unflushed: Unflushed
  /** Reasons for these choices, for `explain`. */
  readonly reasons: readonly string[]
}
