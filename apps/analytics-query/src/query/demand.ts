import type { CellQuery } from './cell-query.js'

/** Names of events, or all of them. */
export type EventNames = readonly string[] | '*'

/** One reading of a query: cells from rollups or rows, marks of users, or logins. Ranges are [fromMs, toMs). */
export type Demand =
  | { readonly from: 'cells'; readonly query: CellQuery }
  | { readonly from: 'events' | 'login_events'; readonly fromMs: number; readonly toMs: number }
