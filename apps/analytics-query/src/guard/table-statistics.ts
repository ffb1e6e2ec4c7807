import type { TimeRange } from '../plan/plan.js'

/** What the estimate knows about one UTC day of the events. */
export interface DayStatistics {
  readonly rows: number
  /** Distinct users; null while the day was never analysed. */
  readonly users: number | null
}

/** How often values occur, as shares of all rows from 0 to 1. */
export interface Shares<Value> {
  /** The frequent ones. */
  readonly common: ReadonlyMap<Value, number>
  /** Of one that is not among them. */
  readonly other: number
  readonly distinct: number
}

/** Sizes and distributions as PostgreSQL keeps them, some time old. */
export interface TableStatistics {
  /** By the start of the day in ms, ascending; a day that is not here has no partition. */
  readonly days: ReadonlyMap<number, DayStatistics>
  readonly events: Shares<string>
  readonly tenants: Shares<number>
  readonly users: Shares<bigint>
  /** Rows of login_events. */
  readonly logins: number
}

export const DAY_MS = 86_400_000

/** Nothing known: every row may be of every name and tenant. */
export function unknownShares<Value>(): Shares<Value> {
  return { common: new Map(), other: 1, distinct: 1 }
}

/** The kept days that a range touches, each with the rows in it. The rows of a day lie evenly from its start to its end, or to now. */
export function daysIn({ fromMs, toMs }: TimeRange, statistics: TableStatistics, nowMs: number): DayStatistics[] {
  const parts: DayStatistics[] = []
  for (const [startMs, { rows, users }] of statistics.days) {
    const overlapMs = Math.min(startMs + DAY_MS, toMs) - Math.max(startMs, fromMs)
    if (overlapMs <= 0) continue
    const isToday = nowMs > startMs && nowMs < startMs + DAY_MS
    parts.push({ rows: rows * Math.min(1, overlapMs / (isToday ? nowMs - startMs : DAY_MS)), users })
  }
  return parts
}

/** The share of all rows that a tenant's events of these names have, as if names were spread evenly over tenants. */
export function shareOf(tenantId: number, events: readonly string[] | '*', statistics: TableStatistics): number {
  const ofTenant = statistics.tenants.common.get(tenantId) ?? statistics.tenants.other
  if (events === '*') return ofTenant
  const ofEvents = events.reduce(
    (sum, event) => sum + (statistics.events.common.get(event) ?? statistics.events.other),
    0,
  )
  return ofTenant * Math.min(1, ofEvents)
}
