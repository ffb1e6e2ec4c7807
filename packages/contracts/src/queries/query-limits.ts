import { DAY_MS, MINUTE_MS } from '../time/durations.js'

/** Rows or points of a page. */
export interface PageLimit {
  readonly default: number
  readonly max: number
}

/** Limits and defaults of queries and lists. The gateway documents and checks them, analytics-query applies them. */
export const QUERY_LIMITS = {
  /** Kinds whose points are ordered by time or periods. */
  seriesPage: { default: 10_000, max: 10_000 },
  funnelPage: { default: 1000, max: 10_000 },
  topPage: { default: 10, max: 1000 },
  breakdownPage: { default: 100, max: 1000 },
  /** Lists of events, sessions and activities. */
  listPage: { default: 100, max: 1000 },
  filtersMax: 20,
  groupByMax: 3,
  funnelStepsMin: 2,
  funnelStepsMax: 10,
  /** Default of the time from the first step to the last. */
  funnelWindowMs: 14 * DAY_MS,
  /** Default of the pause that ends a session. */
  sessionGapMs: 30 * MINUTE_MS,
  /** Periods after that of the cohort. */
  retentionPeriodsMax: 366,
} as const
