import type { Interval, WeekStart } from './buckets.js'
import type { CellPage } from './cell-page.js'
import type { FieldPath } from './field-path.js'
import type { Filter } from './filter.js'
import type { Metric } from './metric.js'
import type { TimeZone } from './time-zone.js'

/** A query whose answer consists of cells: one value per bucket and group. */
export interface CellQuery {
  /** Null: all events. */
  readonly event: string | null
  readonly metric: Metric
  readonly filters: readonly Filter[]
  readonly groupBy: readonly FieldPath[]
  readonly fromMs: number
  readonly toMs: number
  /** The buckets follow its calendar and clock. */
  readonly zone: TimeZone
  /** Null: the whole range is one bucket. */
  readonly interval: Interval | null
  /** First day of the weeks of the interval 1w. Default: Monday. */
  readonly weekStart?: WeekStart
  /** Ascending; the first may be before `fromMs`. */
  readonly bucketStarts: readonly number[]
  /** Only these cells are needed. Default: all. */
  readonly page?: CellPage | undefined
}

/** The value of one bucket and group. */
export interface Cell {
  /** Index in `bucketStarts`. */
  readonly bucket: number
  /** The texts of the fields in `groupBy`; null where the field is absent. */
  readonly group: readonly (string | null)[]
  /** Null when no event has a value to aggregate. */
  readonly value: number | null
  /** Additional values by name. */
  readonly values: Readonly<Record<string, number | null>>
}
