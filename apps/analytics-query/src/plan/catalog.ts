import type { LevelSeconds, RollupDefinition } from '@millrace/rollups'

/** A rollup definition and how far it may be used for one tenant. */
export interface ActiveDefinition extends RollupDefinition {
  /** Windows that begin earlier may lack records. */
  readonly activeFromMs: number
  /** Windows that end later may lack records. */
  readonly activeUntilMs: number
  /** Whether the tenant has had more series than are kept, so that some values are only in the overflow series. */
  readonly hasOverflow: boolean
}

/** How far one stream partition has been stored and rolled up, as of the snapshot. */
export interface PartitionState {
  readonly partition: number
  /** Records below it are in the rollups. */
  readonly flushedOrdinal: bigint
  /** Records below it are stored. */
  readonly nextOrdinal: bigint
  readonly watermarkMs: number | null
  readonly flushedWatermarkMs: number | null
  /** Bounds of the event times of the records between; null when they are not known. */
  readonly unflushedFromMs: number | null
  readonly unflushedToMs: number | null
}

/** Everything the planner decides by; read in the snapshot that the query then runs in. */
export interface Catalog {
  readonly definitions: readonly ActiveDefinition[]
  /** Starts of windows that may not be used, in ms, ascending, by level; null where there are too many to list. */
  readonly dirty: Readonly<Partial<Record<LevelSeconds, readonly number[]>>> | null
  readonly partitions: readonly PartitionState[]
  /** Windows of a level that begin before it are no longer kept; of a level that is not named every one is. */
  readonly keptFromMs: Readonly<Partial<Record<LevelSeconds, number>>>
}
