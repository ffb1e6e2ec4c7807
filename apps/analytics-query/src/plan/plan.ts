import type { LevelSeconds } from '@millrace/rollups'
import type { TimeRange } from '../query/time-range.js'

/** Which series of the rollups answer a query. */
export interface SeriesChoice {
  /** A name, or null for the series of every single event. */
  readonly event: string | null
  readonly dimensions: readonly string[]
  readonly property: string | null
}

/**
 * How the records that are stored but not yet rolled up take part: `none` when there are none in the rollups' ranges, `read` when they are
 * read from the raw rows, `left_out` when the whole answer is as of the last flush.
 */
export type Tail =
  | { readonly mode: 'none' }
  | { readonly mode: 'read'; readonly rows: number; readonly ranges: readonly TimeRange[] }
  | { readonly mode: 'left_out'; readonly rows: number; readonly reason: string }

/** Ranges of whole windows of one level. */
export interface RollupPart {
  readonly level: LevelSeconds
  /** Minutes that are read from the 5-minute windows around them, where they are packed. */
  readonly isPacked: boolean
  readonly ranges: readonly TimeRange[]
}

/** Where each instant of a query's range is answered from. Ranges are disjoint, ascending, and together the whole of it. */
export interface Plan {
  readonly source: 'rollup' | 'raw' | 'mixed'
  readonly series: SeriesChoice | null
  readonly rollup: readonly RollupPart[]
  readonly raw: readonly TimeRange[]
  readonly tail: Tail
  /** Why it is so, for people. */
  readonly reasons: readonly string[]
}
