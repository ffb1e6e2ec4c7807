/** A level of windows that is made from the next finer one. */
export interface CoarseLevel {
  readonly seconds: number
  readonly table: string
  readonly finer: { readonly seconds: number; readonly table: string }
  /** Width of the next coarser one. */
  readonly next: number | null
}

/** Finest first. */
export const COARSE_LEVELS: readonly CoarseLevel[] = [
  { seconds: 300, table: 'rollups_5m', finer: { seconds: 60, table: 'rollups_1m' }, next: 3600 },
  { seconds: 3600, table: 'rollups_1h', finer: { seconds: 300, table: 'rollups_5m' }, next: 86_400 },
  { seconds: 86_400, table: 'rollups_1d', finer: { seconds: 3600, table: 'rollups_1h' }, next: null },
]
