import type { Interval } from './buckets.js'
import type { CellPage } from './cell-page.js'
import type { FieldPath } from './field-path.js'
import type { Filter } from './filter.js'
import type { Metric } from './metric.js'
import type { TimeZone } from './time-zone.js'

/** What is to be counted or measured, a cell a bucket and group. */
export interface CellQuery {
  /** null: every event. */
  readonly event: string | null
  readonly metric: Metric
  readonly filters: readonly Filter[]
  readonly groupBy: readonly FieldPath[]
  readonly fromMs: number
  readonly toMs: number
  /** Whose calendar and clock the buckets follow. */
  readonly zone: TimeZone
  /** null: one bucket, the whole range. */
  readonly interval: Interval | null
  /** Ascending; the first may begin before `fromMs`. */
  readonly bucketStarts: readonly number[]
  /** Absent: all cells are needed. */
  readonly page?: CellPage | undefined
}

/** One bucket of one group. */
export interface Cell {
  /** Index in `bucketStarts`. */
  readonly bucket: number
  /** Scalar texts in the order of `groupBy`, null where the field was absent. */
  readonly group: readonly (string | null)[]
  /** null when there is nothing to average, compare or rank. */
  readonly value: number | null
  /** Further results by name. */
  readonly values: Readonly<Record<string, number | null>>
}
