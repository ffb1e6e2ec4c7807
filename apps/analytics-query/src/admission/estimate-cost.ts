import { DAY_MS, MINUTE_MS } from '@millrace/contracts'
import { PAGE_BYTES_MAX } from '@millrace/pagination'
import type { EventNames } from '../query/event-names.js'
import type { TimeRange } from '../query/time-range.js'
import { type DayStatistics, daysIn, shareOf, type TableStatistics } from './table-statistics.js'

/** What a query is expected to cost. */
export interface CostEstimate {
  /** Rows that PostgreSQL reads, those of other tenants in the same stretch of time included. */
  readonly rows: number
  /** Day partitions that it touches. */
  readonly partitions: number
  /** Memory that this service holds for it at once. */
  readonly bytes: number
}

/** How large one result of a metric is: a number, a DDSketch or a HyperLogLog. */
export type ResultKind = 'number' | 'quantiles' | 'uniques'

interface Workload {
  readonly tenantId: number
  readonly events: EventNames
  readonly raw: readonly TimeRange[]
  /** Rows of these users alone are read, by their index; null reads all rows of the raw ranges. */
  readonly userHashes: readonly bigint[] | null
}

/** A query over cells, about to be read. */
export interface CellsWorkload extends Workload {
  readonly rollup: readonly {
    readonly ranges: readonly TimeRange[]
    readonly widthMs: number
    /** Most rows of one window and series. */
    readonly parts: number
  }[]
  readonly series: number
  /** Buckets times groups, as many as there may be. */
  readonly places: number
  readonly result: ResultKind
}

/** Marks of users: raw rows, and what days that are packed by user hold. */
export interface MarksWorkload extends Workload {
  readonly packed: {
    /** Of all values that are read. */
    readonly bytes: number
    readonly values: number
  }
  /** Groups that there may be; null where none are asked for. */
  readonly groups: number | null
  /** Most cells of the answer for one of them, and for all: more are refused. */
  readonly cellsPerGroup: number
  readonly cellsMax: number
}

/** Login attempts, of which an index finds the tenant's. */
export interface LoginsWorkload {
  readonly tenantId: number
  readonly range: TimeRange
  readonly scans: number
  /** Buckets times groups, as many as there may be. */
  readonly places: number
}

/** A page of events, newest first. */
export interface PageWorkload extends Omit<Workload, 'raw'> {
  readonly range: TimeRange
  /** Whether the caller said where the range begins. */
  readonly isBounded: boolean
  /** Whether one message is looked for. */
  readonly isOfOne: boolean
  readonly limit: number
}

/** Rows of a user in a day that was never analysed. */
const UNKNOWN_ROWS_PER_USER = 20
/** A cell with its key and place in a map; a row as pg hands it over. */
const CELL_BYTES = 300
const ROW_BYTES = 300
/** A mark as it comes (24), its user's number (4), and its place in a list: time, place and group (20). */
const MARK_BYTES = 48
/** A packed mark takes about 13 bytes, and as much in a list as any other. */
const PACKED_FACTOR = 3
const PACKED_MARK_BYTES = 13
/** A mark that is put together with those of other groups: once more as it comes, and its group's number. */
const JOINED_BYTES = 28
/** A group as it comes, its texts and its number. */
const GROUP_BYTES = 800
/** A day's marks of one group, and most groups of a packed day. */
const STRETCH_BYTES = 1_000
const STRETCHES_MAX = 500

/** Bytes that a result of so many records takes in a rollup's row, in a row made of raw rows, and in memory. */
const RESULT_BYTES: Readonly<Record<ResultKind, (records: number) => { rollup: number; raw: number; cell: number }>> = {
  number: () => ({ rollup: 0, raw: 0, cell: 100 }),
  quantiles: (records) => ({
    rollup: Math.min(2_000, 20 + 4 * records),
    raw: Math.min(16_000, 16 * records),
    cell: Math.min(8_192, 200 + 16 * records),
  }),
  uniques: (records) => ({
    rollup: Math.min(12_291, 3 + 2.5 * records),
    raw: Math.min(131_072, 8 * records),
    cell: Math.min(16_384, 32 + 16 * records),
  }),
}

/** Pure and quick: the work against sizes that are known already. `nowMs` tells how full today is. */
export function estimateCells(workload: CellsWorkload, statistics: TableStatistics, nowMs: number): CostEstimate {
  const share = shareOf(workload.tenantId, workload.events, statistics)
  const rollup = estimateRollups(workload, statistics, { share, nowMs })
  const days = workload.raw.flatMap((range) => daysIn(range, statistics, nowMs))
  const rawRows = sum(days, (day) => rowsRead(workload, day, statistics))
  const rawRecords = Math.min(rawRows, sum(days, ({ rows }) => rows) * share)
  const cells = occupied(workload.places, rollup.records + rawRecords)
  const bytesOf = RESULT_BYTES[workload.result]
  const perCell = bytesOf((rollup.records + rawRecords) / Math.max(1, cells))
  const rollupBytes = rollup.rows * (ROW_BYTES + bytesOf(rollup.records / Math.max(1, rollup.rows)).rollup)
  const rawBytes = workload.raw.length === 0 ? 0 : cells * (ROW_BYTES + perCell.raw)
  return {
    rows: Math.ceil(rollup.rows + rawRows),
    partitions: days.length + rollup.partitions,
    bytes: Math.ceil(rollupBytes + rawBytes + cells * (CELL_BYTES + perCell.cell)),
  }
}

/** As estimateCells. What is packed is known, only raw rows are guessed at. */
export function estimateMarks(workload: MarksWorkload, statistics: TableStatistics, nowMs: number): CostEstimate {
  const days = workload.raw.flatMap((range) => daysIn(range, statistics, nowMs))
  const rows = sum(days, (day) => rowsRead(workload, day, statistics))
  const held = rows * shareOf(workload.tenantId, workload.events, statistics)
  const { bytes, values } = workload.packed
  return {
    rows: Math.ceil(rows + values),
    partitions: days.length,
    bytes: Math.ceil(held * MARK_BYTES + bytes * PACKED_FACTOR + bytesOfGroups(workload, held)),
  }
}

/** Groups come and are counted apart; only those that occur take memory. */
function bytesOfGroups({ groups, cellsPerGroup, cellsMax, packed }: MarksWorkload, rawMarks: number): number {
  if (groups === null) return 0
  const packedMarks = packed.bytes / PACKED_MARK_BYTES
  const marks = rawMarks + packedMarks
  const cells = Math.min(cellsMax, occupied(groups * cellsPerGroup, marks))
  const stretches = occupied(packed.values * Math.min(STRETCHES_MAX, groups), packedMarks)
  return (
    rawMarks * JOINED_BYTES + occupied(groups, marks) * GROUP_BYTES + cells * CELL_BYTES + stretches * STRETCH_BYTES
  )
}

/** Logins lie in one table; as if they were spread over its days and tenants as events are over theirs. */
export function estimateLogins(
  { tenantId, range, scans, places }: LoginsWorkload,
  statistics: TableStatistics,
): CostEstimate {
  const { logins, firstDayMs, lastDayMs } = statistics
  const keptMs = Math.max(0, lastDayMs - firstDayMs) + DAY_MS
  const ofRange = Math.min(1, (range.toMs - range.fromMs) / keptMs)
  const rows = ofRange * logins * shareOf(tenantId, '*', statistics)
  return {
    rows: Math.ceil(rows * scans),
    partitions: 1,
    bytes: Math.ceil(occupied(places, rows) * (ROW_BYTES + 2 * CELL_BYTES)),
  }
}

/**
 * A page costs about what it shows: time is walked backwards until it is full, for 5 s at most. The newest events may be asked for whatever the number of
 * days; a range that is named counts with all of them.
 */
export function estimatePage(workload: PageWorkload, statistics: TableStatistics, nowMs: number): CostEstimate {
  const { tenantId, events, userHashes, range, isBounded, isOfOne, limit } = workload
  const days = daysIn(range, statistics, nowMs)
  const there = sum(days, (day) => rowsRead(workload, day, statistics))
  const share = userHashes === null ? shareOf(tenantId, events, statistics) : shareOf(null, events, statistics)
  const wanted = isOfOne ? WALK_ROWS : Math.min(WALK_ROWS, limit / share)
  return {
    rows: Math.ceil(Math.min(there, wanted)),
    partitions: isBounded ? days.length : Math.min(1, days.length),
    bytes: Math.min(PAGE_BYTES_MAX, limit * EVENT_BYTES) * PAGE_COPIES,
  }
}

/** Rows that 5 s suffice for. */
const WALK_ROWS = 10_000_000
/** An event with its properties as text, and how often a page is there: as it comes, as it goes out, and in the message. */
const EVENT_BYTES = 2_000
const PAGE_COPIES = 3

/** Rollups outlive the rows that they were made of: of days without rows every window may be there. */
function estimateRollups(
  { rollup, series }: CellsWorkload,
  statistics: TableStatistics,
  { share, nowMs }: { share: number; nowMs: number },
): { rows: number; records: number; partitions: number } {
  const total = { rows: 0, records: 0, partitions: 0 }
  for (const { ranges, widthMs, parts } of rollup) {
    for (const range of ranges) {
      const days = daysIn(range, statistics, nowMs)
      const records = sum(days, ({ rows }) => rows) * share
      const places = ((range.toMs - range.fromMs) / widthMs) * series * parts
      const keptShare = Math.min(1, Math.max(0, (range.toMs - statistics.firstDayMs) / (range.toMs - range.fromMs)))
      total.rows += places * (1 - keptShare) + occupied(places * keptShare, records)
      total.records += records
      if (widthMs === MINUTE_MS) total.partitions += days.length
    }
  }
  return total
}

function rowsRead(
  { userHashes }: Pick<Workload, 'userHashes'>,
  { rows, users }: DayStatistics,
  statistics: TableStatistics,
): number {
  if (userHashes === null) return rows
  const ordinary = users === null ? UNKNOWN_ROWS_PER_USER : rows / Math.max(1, users)
  const read = sum(userHashes, (hash) => {
    const share = statistics.users.common.get(hash)
    return share === undefined ? ordinary : share * rows
  })
  return Math.min(rows, read)
}

/** How many of so many places have at least one of so many records that fall into them by chance. */
function occupied(places: number, records: number): number {
  return places === 0 ? 0 : places * -Math.expm1(-records / places)
}

function sum<Item>(items: readonly Item[], pick: (item: Item) => number): number {
  return items.reduce((total, item) => total + pick(item), 0)
}
