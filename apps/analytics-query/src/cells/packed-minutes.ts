import { MINUTE_MS } from '@millrace/contracts'
import type { Result } from '@millrace/database'
import { type MinuteValues, PACKED_LEVEL, unpackMinutes, unpackSketches } from '@millrace/rollups'
import type { CellQuery } from '../query/cell-query.js'
import type { TimeRange } from '../query/time-range.js'
import type { CellTable } from './cell-table.js'

const WINDOW_MINUTES = PACKED_LEVEL.seconds / 60

/** A 5-minute window of one series. */
interface WindowRow {
  /** The first minute, in minutes since 1970. */
  readonly minute: number
  readonly series_id: number
  readonly count: number
  readonly minutes: Buffer | null
  readonly minute_sketches?: Buffer | null
}

export interface MinutesReading {
  readonly query: CellQuery
  /** Whole minutes; ascending and disjoint. */
  readonly ranges: readonly TimeRange[]
  readonly groups: ReadonlyMap<number, readonly (string | null)[]>
}

/**
 * Adds the packed minutes in the ranges to the table. Returns the parts of the ranges that must be read from 1-minute
 * windows instead: those of rows without packed minutes, or whose packed minutes do not add up to the count because a
 * consumer of an older version has rewritten the row.
 */
export function addPackedMinutes(
  table: CellTable,
  result: Result,
  { query, ranges, groups }: MinutesReading,
): TimeRange[] {
  const rows = (result.rows as unknown as WindowRow[]).map((row) => ({ row, minutes: minutesOf(row) }))
  const stale = new Set(rows.flatMap(({ row, minutes }) => (minutes === null ? [row.minute] : [])))
  const bucketOf = createBucketOf(query.bucketStarts)
  for (const { row, minutes } of rows) {
    const group = groups.get(row.series_id)
    if (minutes === null || group === undefined || stale.has(row.minute)) continue
    const sketches = row.minute_sketches ? unpackSketches(row.minute_sketches) : []
    for (let at = 0; at < minutes.length; at++) {
      const minute = minutes[at] as MinuteValues
      const timeMs = (row.minute + at) * MINUTE_MS
      if (minute.count === 0 || !isIn(ranges, timeMs)) continue
      table.at(bucketOf(timeMs), group).addMinute(minute, sketches[at] ?? null)
    }
  }
  return [...stale]
    .sort((a, b) => a - b)
    .flatMap((minute) => cut(ranges, minute * MINUTE_MS, (minute + WINDOW_MINUTES) * MINUTE_MS))
}

function minutesOf({ minutes, count }: WindowRow): MinuteValues[] | null {
  if (minutes === null) return null
  const unpacked = unpackMinutes(minutes)
  return unpacked.reduce((sum, minute) => sum + minute.count, 0) === count ? unpacked : null
}

function isIn(ranges: readonly TimeRange[], timeMs: number): boolean {
  return ranges.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs < toMs)
}

function cut(ranges: readonly TimeRange[], fromMs: number, toMs: number): TimeRange[] {
  return ranges.flatMap((range) => {
    const part = { fromMs: Math.max(fromMs, range.fromMs), toMs: Math.min(toMs, range.toMs) }
    return part.fromMs < part.toMs ? [part] : []
  })
}

/** Finds the bucket of a time as width_bucket does in SQL. */
function createBucketOf(starts: readonly number[]): (timeMs: number) => number {
  return (timeMs) => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      if ((starts[middle] as number) <= timeMs) low = middle
      else high = middle
    }
    return low
  }
}
