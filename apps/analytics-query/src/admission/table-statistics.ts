import { DAY_MS } from '@millrace/contracts'
import type { TimeRange } from '../query/time-range.js'

/** Statistics of one UTC day of the events. */
export interface DayStatistics {
  readonly rows: number
  /** Distinct users; null while ANALYZE has not run on the day. */
  readonly users: number | null
}

/** How frequent the values of a column are, as shares of all rows from 0 to 1. */
export interface Shares<Value> {
  /** The shares of frequent values. */
  readonly common: ReadonlyMap<Value, number>
  /** The share of each other value. */
  readonly other: number
  readonly distinct: number
}

/** Sizes and distributions as PostgreSQL keeps them. May be minutes old. */
export interface TableStatistics {
  /** By the start of the day in ms, ascending. A missing day has no partition. */
  readonly days: ReadonlyMap<number, DayStatistics>
  /** Starts of the first and the last day; without days the first is after the last. */
  readonly firstDayMs: number
  readonly lastDayMs: number
  readonly events: Shares<string>
  readonly tenants: Shares<number>
  readonly users: Shares<bigint>
  /** Rows of login_events. */
  readonly logins: number
}

/** For a column without statistics: any value may be in every row. */
export function unknownShares<Value>(): Shares<Value> {
  return { common: new Map(), other: 1, distinct: 1 }
}

/**
 * The days of a range with the number of their rows in it. Assumes that the rows of a day are spread evenly, for today
 * up to now.
 */
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

/** The number of day partitions that any of the ranges reads: each counts once, however many ranges lie in it. */
export function countPartitions(ranges: readonly TimeRange[], statistics: TableStatistics): number {
  const starts = new Set<number>()
  for (const { fromMs, toMs } of ranges) {
    const firstMs = Math.max(statistics.firstDayMs, Math.floor(fromMs / DAY_MS) * DAY_MS)
    const endMs = Math.min(statistics.lastDayMs + 1, toMs)
    for (let startMs = firstMs; startMs < endMs; startMs += DAY_MS)
      if (statistics.days.has(startMs)) starts.add(startMs)
  }
  return starts.size
}

/**
 * The share of all rows with these event names and this tenant (null: all tenants), assuming that names are spread
 * evenly over tenants.
 */
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
