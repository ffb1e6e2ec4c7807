import { DAY_MS } from '@millrace/contracts'
import type { TimeRange } from '../query/time-range.js'

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
  /** Starts of the first and the last of them; without any the first lies after the last. */
  readonly firstDayMs: number
  readonly lastDayMs: number
  readonly events: Shares<string>
  readonly tenants: Shares<number>
  readonly users: Shares<bigint>
  /** Rows of login_events. */
  readonly logins: number
}

/** Nothing known: every row may be of every name and tenant. */
export function unknownShares<Value>(): Shares<Value> {
  return { common: new Map(), other: 1, distinct: 1 }
}

/** The kept days that a range touches, each with the rows in it. The rows of a day lie evenly from its start to its end, or to now. */
export function daysIn({ fromMs, toMs }: TimeRange, statistics: TableStatistics, nowMs: number): DayStatistics[] {
  const parts: DayStatistics[] = []
  const firstMs = Math.max(statistics.firstDayMs, Math.floor(fromMs / DAY_MS) * DAY_MS)
  const endMs = Math.min(statistics.lastDayMs + 1, toMs)
  for (let startMs = firstMs; startMs < endMs; startMs += DAY_MS) {
    const day = statistics.days.get(startMs)
    if (day === undefined) continue
    const overlapMs = Math.min(startMs + DAY_MS, toMs) - Math.max(startMs, fromMs)
    const isToday = nowMs > startMs && nowMs < startMs + DAY_MS
    parts.push({ ...day, rows: day.rows * Math.min(1, overlapMs / (isToday ? nowMs - startMs : DAY_MS)) })
  }
  return parts
}

/** The share of all rows that a tenant's events of these names have, as if names were spread evenly over tenants; null: of all tenants'. */
export function shareOf(tenantId: number | null, events: readonly string[] | '*', statistics: TableStatistics): number {
  const { common, other } = statistics.tenants
  const ofTenant = tenantId === null ? 1 : (common.get(tenantId) ?? other)
  if (events === '*') return ofTenant
  const ofEvents = events.reduce(
    (sum, event) => sum + (statistics.events.common.get(event) ?? statistics.events.other),
    0,
  )
  return ofTenant * Math.min(1, ofEvents)
}
