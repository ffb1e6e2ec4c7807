import type { MinuteValues } from '@millrace/rollups'
import { DDSketch, ExactSum, HyperLogLog } from '@millrace/sketches'
import type { Series } from './series-registry.js'

/** Values of a rollup row as the table holds them. */
export interface RollupValues {
  readonly count: number
  readonly sum: number | null
  readonly sumError: number | null
  readonly min: number | null
  readonly max: number | null
  readonly sketch: Buffer | null
  readonly uniques: Buffer | null
}

/** The aggregate of one series, minute and partition while it is in memory. */
export class RollupCell {
  readonly series: Series
  /** Minutes since 1970. */
  readonly minute: number
  count = 0
  readonly uniques = new HyperLogLog()
  readonly sum: ExactSum | null
  readonly sketch: DDSketch | null
  min = Number.POSITIVE_INFINITY
  max = Number.NEGATIVE_INFINITY
  /** Whether what the table held before this cell was made is in it. A cell that is not whole is merged with its row when it is flushed. */
  isWhole = false
  isDirty = false
  /** Flush round in which it was last changed, to let go of cells that are no longer written to. */
  lastRound = 0
  /** Size of its sketches when last written, to foresee what a flush costs. */
  bytes = 128

  constructor(series: Series, minute: number) {
    this.series = series
    this.minute = minute
    this.sum = series.hasProperty ? new ExactSum() : null
    this.sketch = series.hasProperty ? new DDSketch() : null
  }

  /** Counts a record in a series with a property. */
  addValue(value: number, userLo: number, userHi: number): void {
    this.uniques.add(userLo, userHi)
    // A record without a value is counted by the series without the property.
    if (!Number.isFinite(value)) return
    this.count++
    this.sum?.add(value)
    this.sketch?.add(value)
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
  }

  /** Adds what the table holds for the same series, minute and partition. */
  merge(row: RollupValues): void {
    this.count += row.count
    if (row.uniques !== null) this.uniques.mergeSerialised(row.uniques)
    if (row.sum !== null) this.sum?.merge(new ExactSum(row.sum, row.sumError ?? 0))
    if (row.sketch !== null) this.sketch?.mergeSerialised(row.sketch)
    if (row.min !== null && row.min < this.min) this.min = row.min
    if (row.max !== null && row.max > this.max) this.max = row.max
  }

  /** Adds a cell of the same series. */
  mergeCell(other: RollupCell): void {
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

  /** The sketch that a packed minute holds: quantiles for a series with a property, else users. null for a minute without values. */
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
