import type { Statement, Transaction } from '@millrace/database'
import {
  type CoarseLevel,
  MINUTE_LEVEL,
  PACKED_LEVEL,
  packMinutes,
  packSketches,
  windowStartS,
} from '@millrace/rollups'
import { Rollup, type RollupValues } from './rollup.js'
import { ROLLUP_COLUMNS, rollupValues, SELECT_ROLLUPS, UPDATE_ROLLUP } from './rollup-sql.js'

/** Windows of all series that one statement merges: bounds the memory that a tenant with many series takes. */
const ROLLUPS_PER_STATEMENT = 600
const PACKED_MINUTES = PACKED_LEVEL.seconds / 60

/** What merging needs to know about a series. */
export interface SeriesOfTenant {
  id: number
  has_property: boolean
}

export function seriesOfTenant(tenantId: number): Statement {
  return {
    name: 'series_of_tenant',
    text: 'select id, property is not null as has_property from rollup_series where tenant_id = $1 order by id',
    values: [tenantId],
  }
}

interface FinerRow {
  /** Start of the window, in minutes since 1970. */
  minute: number
  series_id: number
  count: number
  sum: number | null
  sum_error: number | null
  min: number | null
  max: number | null
  sketch: Buffer | null
  uniques: Buffer | null
}

/** Windows of one tenant and level, and the series of that tenant. */
export interface WindowsToMerge {
  readonly tenantId: number
  /** Starts of the windows, in ms since 1970. They lie inside one window of the next coarser level. */
  readonly startsMs: readonly number[]
  readonly series: readonly SeriesOfTenant[]
}

/**
 * Rebuilds the windows of each series of their tenant from all windows of the next finer level inside them. The last
 * statement is sent together with COMMIT.
 */
export async function mergeWindows(tx: Transaction, level: CoarseLevel, windows: WindowsToMerge): Promise<void> {
  const { series, startsMs } = windows
  const step = Math.max(1, Math.floor(ROLLUPS_PER_STATEMENT / startsMs.length))
  for (let from = 0; from < series.length; from += step) {
    const some = { ...windows, series: series.slice(from, from + step) }
    const { rows } = await tx.query<FinerRow>(finerWindows(level, some))
    if (rows.length === 0) continue
    const write = writeStatement(level, mergeRows(level, rows, some))
    if (from + step < series.length) await tx.query(write)
    else tx.atCommit(write)
  }
}

/**
 * LATERAL makes this one range scan of the primary key for each series and window. As a join the index was read for
 * all windows of the day. $4 and $5 let the planner exclude the partitions of other days.
 */
function finerWindows({ seconds, finer }: CoarseLevel, { tenantId, startsMs, series }: WindowsToMerge): Statement {
  return {
    text: `select (extract(epoch from r.window_start) / 60)::integer as minute, r.series_id, r.count::float8, r.sum, r.sum_error, r.min, r.max, r.sketch, r.uniques
     from unnest($1::integer[]) as s (id) cross join unnest($3::timestamptz[]) as w (start) cross join lateral (select * from ${finer.table} r
       where r.tenant_id = $2 and r.series_id = s.id and r.window_start >= w.start and r.window_start < w.start + make_interval(secs => ${seconds})
         and r.window_start >= $4 and r.window_start < $5 limit 100000) r`,
    values: [
      series.map(({ id }) => id),
      tenantId,
      startsMs.map((startMs) => new Date(startMs)),
      new Date(Math.min(...startsMs)),
      new Date(Math.max(...startsMs) + seconds * 1000),
    ],
  }
}

interface Merged {
  readonly rollup: Rollup
  /** The minutes of the window by their position in it; empty unless the window is merged from minutes. */
  readonly minutes: (Rollup | undefined)[]
}

function mergeRows(level: CoarseLevel, rows: readonly FinerRow[], { tenantId, series }: WindowsToMerge): Merged[] {
  const hasProperty = new Map(series.map(({ id, has_property }) => [id, has_property]))
  const createRollup = (id: number, minute: number) =>
    new Rollup({ id, tenantId, event: '', hasProperty: hasProperty.get(id) ?? false }, minute)
  const isOfMinutes = level.finer.seconds === MINUTE_LEVEL.seconds
  const merged = new Map<string, Merged>()
  for (const row of rows) {
    const first = windowStartS(row.minute * 60, level.seconds) / 60
    const key = `${row.series_id} ${first}`
    let one = merged.get(key)
    if (one === undefined) {
      one = { rollup: createRollup(row.series_id, first), minutes: [] }
      merged.set(key, one)
    }
    let rollup = one.rollup
    if (isOfMinutes) {
      rollup = one.minutes[row.minute - first] ?? createRollup(row.series_id, row.minute)
      one.minutes[row.minute - first] = rollup
    }
    rollup.merge(valuesOf(row))
  }
  for (const { rollup, minutes } of merged.values())
    for (const minute of minutes) if (minute !== undefined) rollup.mergeRollup(minute)
  return [...merged.values()]
}

function valuesOf({ count, sum, sum_error: sumError, min, max, sketch, uniques }: FinerRow): RollupValues {
  return { count, sum, sumError, min, max, sketch, uniques }
}

function writeStatement(level: CoarseLevel, merged: readonly Merged[]): Statement {
  return level.table === PACKED_LEVEL.table
    ? writePackedWindows(merged)
    : writeWindows(
        level.table,
        merged.map(({ rollup }) => rollup),
      )
}

function writeWindows(table: string, rollups: readonly Rollup[]): Statement {
  return {
    text: `insert into ${table} (${ROLLUP_COLUMNS}) ${SELECT_ROLLUPS} on conflict (tenant_id, series_id, window_start) ${UPDATE_ROLLUP}`,
    values: rollupValues(rollups, windowOf),
  }
}

/**
 * Writes the packed minutes beside each window. They are sent as hexadecimal text, like any array of bytea; they are
 * short.
 */
function writePackedWindows(merged: readonly Merged[]): Statement {
  const minutes = merged.map((one) => Array.from({ length: PACKED_MINUTES }, (_, at) => one.minutes[at] ?? null))
  return {
    name: 'write_packed_windows',
    text: `insert into ${PACKED_LEVEL.table} (${ROLLUP_COLUMNS}, minutes, minute_sketches)
      select ${ROLLUP_COLUMNS}, minutes, sketches from (select *, row_number() over () as row from (${SELECT_ROLLUPS}) as merged) as c (${ROLLUP_COLUMNS}, row)
        join unnest($14::bytea[], $15::bytea[]) with ordinality as m (minutes, sketches, row) using (row)
      on conflict (tenant_id, series_id, window_start) ${UPDATE_ROLLUP}, minutes = excluded.minutes, minute_sketches = excluded.minute_sketches`,
    values: [
      ...rollupValues(
        merged.map(({ rollup }) => rollup),
        windowOf,
      ),
      minutes.map((list) => packMinutes(list.map((rollup) => rollup?.minuteValues() ?? null))),
      minutes.map((list) => packSketches(list.map((rollup) => rollup?.packedSketch() ?? null))),
    ],
  }
}

function windowOf({ minute }: Rollup): number {
  return minute * 60
}
