import type { MinuteValues } from '@millrace/rollups'
import type { Metric } from '../query/metric.js'
import type { SqlValues } from '../sql/sql-values.js'

export type Row = Readonly<Record<string, unknown>>

export interface MeasureResult {
  readonly value: number | null
  readonly values: Readonly<Record<string, number>>
}

/** Sums up one cell from rows of rollups, packed minutes and raw groups. */
export interface Accumulator {
  addRollup(row: Row): void
  /** A minute out of a packed window; with its sketch only where the measure asks for sketches. */
  addMinute(minute: MinuteValues, sketch: Uint8Array | null): void
  addRaw(row: Row): void
  result(): MeasureResult
}

/** How a family of metrics is read from rollups and from raw rows, so that both give the same. */
export interface Measure {
  /** Whether it is made of sketches. */
  readonly usesSketches: boolean
  /** Selected of rollup windows `r`. Grouped: aggregates, one row a bucket and series; else plain columns, one row a window. */
  readonly rollupSelect: string
  readonly isRollupGrouped: boolean
  /** Further columns of each raw row, of events `e`. */
  rawInput(metric: Metric, values: SqlValues): string
  /** One row a cell, from the table `cell` with columns `keys` and those of rawInput. */
  rawOutput(keys: string): string
  /** Aggregates that put rows of rawOutput together to one, by the same names. */
  readonly rawMerge: string
  /** A cell's value as a double, from a row of rawOutput, and null where PostgreSQL might have another than the accumulator; null for a metric made of sketches. */
  rawValue(metric: Metric): string | null
  createAccumulator(metric: Metric): Accumulator
}
