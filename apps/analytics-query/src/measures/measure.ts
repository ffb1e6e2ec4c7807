import type { MinuteValues } from '@millrace/rollups'
import type { Metric } from '../query/metric.js'
import type { SqlValues } from '../sql/sql-values.js'

export type Row = Readonly<Record<string, unknown>>

export interface MeasureResult {
  readonly value: number | null
  readonly values: Readonly<Record<string, number>>
}

/** Computes one cell from rollup windows, packed minutes and aggregated raw rows. */
export interface Accumulator {
  addRollup(row: Row): void
  /** Adds one packed minute. `sketch` is null unless the measure uses sketches. */
  addMinute(minute: MinuteValues, sketch: Uint8Array | null): void
  addRaw(row: Row): void
  result(): MeasureResult
}

/** Reads a family of metrics from rollups and from raw rows, with the same result. */
export interface Measure {
  /** Whether values are computed from sketches. */
  readonly usesSketches: boolean
  /**
   * Select list over rollup windows `r`: aggregates per bucket and series if `isRollupGrouped`, else columns of each
   * window.
   */
  readonly rollupSelect: string
  readonly isRollupGrouped: boolean
  /** Additional columns of each raw row `e`. */
  rawInput(metric: Metric, values: SqlValues): string
  /** Statement that returns one row per cell, from the table `cell` with the columns `keys` and those of rawInput. */
  rawOutput(keys: string): string
  /** Aggregates that merge rows of rawOutput into one, with the same column names. */
  readonly rawMerge: string
  /**
   * SQL for the value of a cell as a double, from a row of rawOutput; the SQL is null where PostgreSQL might compute
   * another value than the accumulator. Null for metrics that are computed from sketches.
   */
  rawValue(metric: Metric): string | null
  createAccumulator(metric: Metric): Accumulator
}
