import type { CellQuery } from './cell-query.js'

/** Names of events, or all of them. */
export type EventNames = readonly string[] | '*'

/** One reading of a query. Cells may come from rollups, rows come one by one. Ranges are [fromMs, toMs). */
export type Demand =
  | { readonly from: 'cells'; readonly query: CellQuery }
  | {
      readonly from: 'events' | 'login_events'
      readonly fromMs: number
      readonly toMs: number
      readonly events: EventNames
      /** What this service holds in memory of each row. */
      readonly bytesPerRow: number
    }
