import { DAY_MS, MINUTE_MS } from '@millrace/contracts'
import { PAGE_BYTES_MAX } from '@millrace/pagination'
import type { EventNames } from '../query/event-names.js'
import type { TimeRange } from '../query/time-range.js'
import { countPartitions, type DayStatistics, daysIn, shareOf, type TableStatistics } from './table-statistics.js'

/** The estimated cost of a query. */
export interface CostEstimate {
  /** Rows that PostgreSQL reads, including rows of other tenants in the same range of time. */
  readonly rows: number
  /** Day partitions that are read. */
  readonly partitions: number
  /** Peak memory of this process for the query. */
  readonly bytes: number
}

/** What the value of a cell is computed from, which decides its size: a number, a DDSketch or a HyperLogLog. */
export type ResultKind = 'number' | 'quantiles' | 'uniques'

interface Workload {
  readonly tenantId: number
  readonly events: EventNames
  readonly raw: readonly TimeRange[]
  /** Only rows of these users are read, by their index; null: all rows of the raw ranges. */
  readonly userHashes: readonly bigint[] | null
}

/** What a query over cells reads. */
export interface CellsWorkload extends Workload {
  readonly rollup: readonly {
    readonly ranges: readonly TimeRange[]
    readonly widthMs: number
    /** Maximum rows per window and series. */
    readonly parts: number
  }[]
  readonly series: number
  /** Buckets times groups, as many as there may be. */
  readonly places: number
  readonly result: ResultKind
}

/** What a query over the events of each user reads: raw rows and packed days. A mark is an event in the packed form. */
export interface MarksWorkload extends Workload {
  readonly packed: {
    /** Size of all packed values that are read. */
    readonly bytes: number
    readonly values: number
  }
  /** Maximum number of groups; null without groups. */
  readonly groups: number | null
  /** Maximum cells of one group, and of the whole answer. */
  readonly cellsPerGroup: number
  readonly cellsMax: number
}

/** What a query over logins reads; an index finds the rows of the tenant. */
export interface LoginsWorkload {
  readonly tenantId: number
  readonly range: TimeRange
  readonly scans: number
  /** Buckets times groups, as many as there may be. */
  readonly places: number
}

/** What a page of the list of events reads. */
export interface PageWorkload extends Omit<Workload, 'raw'> {
  readonly range: TimeRange
  /** Whether the request has a start of the range. */
  readonly isBounded: boolean
  /** Whether few events are expected to match, for example with a message id. */
  readonly isOfOne: boolean
  readonly limit: number
}

/** Assumed rows of a user in a day partition without statistics. */
const UNKNOWN_ROWS_PER_USER = 20
/** A cell with its key and its entry in a map; a row as pg returns it. */
const CELL_BYTES = 300
const ROW_BYTES = 300
/** A mark as it arrives (24), the number of its user (4), and its entry in a list: time, order and group (20). */
const MARK_BYTES = 48
/** A packed mark takes about 13 bytes, and in a list as much as any other. */
const PACKED_FACTOR = 3
const PACKED_MARK_BYTES = 13
/** A mark in a query with groups: a second copy as it arrives, and the number of its group. */
const JOINED_BYTES = 28
/** A group with its texts and its number. */
const GROUP_BYTES = 800
/** The marks of one group in a packed day; maximum groups of a packed day. */
const STRETCH_BYTES = 1_000
const STRETCHES_MAX = 500

/**
 * Bytes for the value of a cell with that many records: in a row of a rollup, in a row aggregated from raw rows, and in
 * memory.
 */
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

/** A pure function of the plan and of statistics in memory. `nowMs` tells how much of today has passed. */
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
    partitions: countPartitions(workload.raw, statistics) + rollup.partitions,
    bytes: Math.ceil(rollupBytes + rawBytes + cells * (CELL_BYTES + perCell.cell)),
  }
}

/** As estimateCells. The size of packed days is known exactly, only raw rows are estimated. */
export function estimateMarks(workload: MarksWorkload, statistics: TableStatistics, nowMs: number): CostEstimate {
  const days = workload.raw.flatMap((range) => daysIn(range, statistics, nowMs))
  const rows = sum(days, (day) => rowsRead(workload, day, statistics))
  const held = rows * shareOf(workload.tenantId, workload.events, statistics)
  const { bytes, values } = workload.packed
  return {
    rows: Math.ceil(rows + values),
    partitions: countPartitions(workload.raw, statistics),
    bytes: Math.ceil(held * MARK_BYTES + bytes * PACKED_FACTOR + bytesOfGroups(workload, held)),
  }
}

/** Memory for groups: only groups that occur take any. */
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

/** Logins are in one table. Assumes that they are spread over days and tenants like events. */
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
 * A page costs about as much as it shows: the list reads backwards in time until the page is full, for at most 5 s.
 * Without a start of the range only one day partition counts, with one all of its days.
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

/** Rows that can be read within the 5 s. */
const WALK_ROWS = 10_000_000
/** An event with its properties as text; a page exists three times: as rows, as JSON and in the gRPC message. */
const EVENT_BYTES = 2_000
const PAGE_COPIES = 3

/** Rollups are kept longer than raw rows: on days without raw rows every window is assumed to exist. */
function estimateRollups(
  { rollup, series }: CellsWorkload,
  statistics: TableStatistics,
  { share, nowMs }: { share: number; nowMs: number },
): { rows: number; records: number; partitions: number } {
  const total = { rows: 0, records: 0, partitions: 0 }
  const minutes = rollup.flatMap(({ ranges, widthMs }) => (widthMs === MINUTE_MS ? ranges : []))
  total.partitions = countPartitions(minutes, statistics)
  for (const { ranges, widthMs, parts } of rollup) {
    for (const range of ranges) {
      const days = daysIn(range, statistics, nowMs)
      const records = sum(days, ({ rows }) => rows) * share
      const places = ((range.toMs - range.fromMs) / widthMs) * series * parts
      const keptShare = Math.min(1, Math.max(0, (range.toMs - statistics.firstDayMs) / (range.toMs - range.fromMs)))
      total.rows += places * (1 - keptShare) + occupied(places * keptShare, records)
      total.records += records
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

/** Expected number of places with at least one record, when the records fall into places at random. */
function occupied(places: number, records: number): number {
  return places === 0 ? 0 : places * -Math.expm1(-records / places)
}

function sum<Item>(items: readonly Item[], pick: (item: Item) => number): number {
  return items.reduce((total, item) => total + pick(item), 0)
}
