import type { MinuteValues } from '@millrace/rollups'
import { DDSketch, ExactSum, HyperLogLog } from '@millrace/sketches'
import type { Series } from './series-registry.js'

/** The values of a row of a rollup table. */
export interface RollupValues {
  readonly count: number
  readonly sum: number | null
  readonly sumError: number | null
  readonly min: number | null
  readonly max: number | null
  readonly sketch: Buffer | null
  readonly uniques: Buffer | null
}

/**
 * The aggregated values of one series in one window while they are in memory: for consumers a minute of one stream
 * partition.
 */
export class Rollup {
  readonly series: Series
  /** Minutes since 1970. */
  readonly minute: number
  count = 0
  readonly uniques = new HyperLogLog()
  readonly sum: ExactSum | null
  readonly sketch: DDSketch | null
  min = Number.POSITIVE_INFINITY
  max = Number.NEGATIVE_INFINITY
  /**
   * Whether the values that the table held before are included. If not, they are added before the rollup is written.
   */
  isWhole = false
  isDirty = false
  /** The flush before which it changed last; rollups that no longer change leave the memory. */
  lastRound = 0
  /** Size in bytes when it was last written, an estimate of what the next flush writes. */
  bytes = 128

  constructor(series: Series, minute: number) {
    this.series = series
    this.minute = minute
    this.sum = series.hasProperty ? new ExactSum() : null
    this.sketch = series.hasProperty ? new DDSketch() : null
  }

  /** Adds a record of a series with a property. */
  addValue(value: number, userLo: number, userHi: number): void {
    this.uniques.add(userLo, userHi)
    // Such a record counts in the series without the property.
    if (!Number.isFinite(value)) return
    this.count++
    this.sum?.add(value)
    this.sketch?.add(value)
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  /** Adds the values of a row of the same series and window. */
  merge(row: RollupValues): void {
    this.count += row.count
    if (row.uniques !== null) this.uniques.mergeSerialised(row.uniques)
    if (row.sum !== null) this.sum?.merge(new ExactSum(row.sum, row.sumError ?? 0))
    if (row.sketch !== null) this.sketch?.mergeSerialised(row.sketch)
    if (row.min !== null && row.min < this.min) this.min = row.min
    if (row.max !== null && row.max > this.max) this.max = row.max
  }

  /** Adds a rollup of the same series. */
  mergeRollup(other: Rollup): void {
    this.count += other.count
    this.uniques.merge(other.uniques)
    if (other.sum !== null) this.sum?.merge(other.sum)
    if (other.sketch !== null) this.sketch?.merge(other.sketch)
    this.min = Math.min(this.min, other.min)
    this.max = Math.max(this.max, other.max)
  }

  /** The counts and sums that a packed minute holds. */
  minuteValues(): MinuteValues {
    const { count, sum, min, max } = this
    if (sum === null || count === 0) return { count, numbers: null }
    return { count, numbers: { sum: sum.sum, sumError: sum.error, min, max } }
  }

  /**
   * The sketch that a packed minute holds: quantiles for a series with a property, else users. null for a minute
   * without values.
   */
  packedSketch(): Buffer | null {
    if (this.sketch === null) return this.uniques.serialise()
    return this.count > 0 ? this.sketch.serialise() : null
  }

  values(): RollupValues {
    const hasValues = this.sum !== null && this.count > 0
    const sketch = this.sketch !== null && hasValues ? this.sketch.serialise() : null
    const uniques = this.uniques.serialise()
    this.bytes = 64 + (sketch?.length ?? 0) + uniques.length
    return {
      count: this.count,
      sum: hasValues ? (this.sum?.sum ?? 0) : null,
      sumError: hasValues ? (this.sum?.error ?? 0) : null,
      min: hasValues ? this.min : null,
      max: hasValues ? this.max : null,
      sketch,
      uniques,
    }
  }
}
