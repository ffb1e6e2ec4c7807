import type { LevelSeconds, RollupDefinition } from '@millrace/rollups'

/** A rollup definition, and where it may be used for one tenant. */
export interface ActiveDefinition extends RollupDefinition {
  /** Windows that start earlier may be incomplete. */
  readonly activeFromMs: number
  /** Windows that end later may be incomplete. */
  readonly activeUntilMs: number
  /** Whether the tenant has exceeded the limit of series, so that some values are only in the overflow series. */
  readonly hasOverflow: boolean
}

/** How far one stream partition is stored and rolled up, in the snapshot of the query. */
export interface PartitionState {
  readonly partition: number
  /** Records with a lower ordinal are in the rollups. */
  readonly flushedOrdinal: bigint
  /** Records with a lower ordinal are stored. */
  readonly nextOrdinal: bigint
  readonly watermarkMs: number | null
  readonly flushedWatermarkMs: number | null
  /** First and last event time of the unflushed records; null when they are not known. */
  readonly unflushedFromMs: number | null
  readonly unflushedToMs: number | null
}

/** Everything that the plan of a query depends on; read in the snapshot of the query. */
export interface Catalog {
  readonly definitions: readonly ActiveDefinition[]
  /** Starts of dirty windows in ms, ascending, by level; null when there are more than QUERY_DIRTY_WINDOWS_MAX. */
  readonly dirty: Readonly<Partial<Record<LevelSeconds, readonly number[]>>> | null
  readonly partitions: readonly PartitionState[]
  /** Windows of a level that start earlier are deleted. For a level without an entry all windows are kept. */
  readonly keptFromMs: Readonly<Partial<Record<LevelSeconds, number>>>
}
