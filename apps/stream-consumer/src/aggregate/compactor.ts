import type { Database, Transaction } from '@millrace/database'
import { RollupCell, type RollupValues } from './rollup-cell.js'
import { CELL_COLUMNS, cellValues, SELECT_CELLS, UPDATE_CELL } from './rollup-sql.js'

interface Level {
  readonly seconds: number
  readonly table: string
  readonly finer: string
  readonly next: number | null
}

const LEVELS: readonly Level[] = [
  { seconds: 300, table: 'rollups_5m', finer: 'rollups_1m', next: 3600 },
  { seconds: 3600, table: 'rollups_1h', finer: 'rollups_5m', next: 86_400 },
  { seconds: 86_400, table: 'rollups_1d', finer: 'rollups_1h', next: null },
]

/** Series merged by one statement, so that a tenant with many does not fill the memory. */
const SERIES_A_STATEMENT = 200

interface DirtyWindow {
  level_seconds: number
  tenant_id: number
  window_start: Date
  version: bigint
}

export interface CompactorConfig {
  /** Windows made anew in one run. */
  readonly windowsMax: number
  /** Minutes are kept so long, in ms. A window whose minutes may be gone is left as it is. */
  readonly minutesKeptMs: number
}

/**
 * Returns a function that makes dirty coarser windows anew from the next finer ones, those of 5 minutes first, and says how many it made. Any number
 * of processes may call it: an advisory lock lets one work. Windows that are still open wait for their end.
 */
export function createCompactor(
  config: CompactorConfig,
  deps: { database: Database; now: () => number },
): () => Promise<number> {
  return async () => {
    let made = 0
    for (const level of LEVELS) {
      for (const window of await selectDirty(deps.database, level, config.windowsMax - made)) {
        const isDone = await deps.database.transaction((tx) =>
          compact(tx, level, window, deps.now() - config.minutesKeptMs),
        )
        if (!isDone) return made
        made++
      }
    }
    return made
  }
}

/**
 * A window waits for finer ones in it, which would only make it dirty again. OFFSET keeps the look for those one look in the primary key a window: as a join
 * every window is compared with every other, and after a large backfill, with tens of thousands of them, that never ended within the statement's time.
 */
async function selectDirty(database: Database, { seconds }: Level, limit: number): Promise<DirtyWindow[]> {
  const finer = LEVELS.filter((level) => level.seconds < seconds).map((level) => level.seconds)
  const { rows } = await database.query<DirtyWindow>(
    `select level_seconds, tenant_id, window_start, version from rollup_dirty d
     where level_seconds = $1 and window_start + make_interval(secs => $1) <= now()
       and not exists (select from rollup_dirty f where f.level_seconds = any ($3::integer[]) and f.tenant_id = d.tenant_id
         and f.window_start >= d.window_start and f.window_start < d.window_start + make_interval(secs => $1) offset 0)
     order by window_start limit $2`,
    [seconds, limit, finer],
  )
  return rows
}

/**
 * One window. Its version was read before its data, so a flush that came in between has raised it, and the mark stays for another time.
 * Returns false when another process is at work.
 */
async function compact(tx: Transaction, level: Level, window: DirtyWindow, horizonMs: number): Promise<boolean> {
  const { rows: locks } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('millrace:compactor')) as locked`,
  )
  if (locks[0]?.locked !== true) return false
  const isComplete = level.finer !== 'rollups_1m' || window.window_start.getTime() >= horizonMs
  if (isComplete) {
    const { rows: series } = await tx.query<SeriesOfTenant>(
      'select id, property is not null as has_property from rollup_series where tenant_id = $1 order by id',
      [window.tenant_id],
    )
    for (let from = 0; from < series.length; from += SERIES_A_STATEMENT) {
      await mergeSeries(tx, level, window, series.slice(from, from + SERIES_A_STATEMENT))
    }
    if (level.next !== null) await markNext(tx, level.next, window)
  }
  await tx.query(
    'delete from rollup_dirty where level_seconds = $1 and tenant_id = $2 and window_start = $3 and version = $4',
    [level.seconds, window.tenant_id, window.window_start, window.version],
  )
  return true
}

interface SeriesOfTenant {
  id: number
  has_property: boolean
}

type FinerRow = Omit<RollupValues, 'count' | 'sumError'> & {
  series_id: number
  count: bigint
  sum_error: number | null
}

/** LATERAL makes it one range of the primary key a series; without it the index would be read for all windows of the day. */
async function mergeSeries(
  tx: Transaction,
  level: Level,
  window: DirtyWindow,
  series: readonly SeriesOfTenant[],
): Promise<void> {
  const { rows } = await tx.query<FinerRow>(
    `select r.series_id, r.count, r.sum, r.sum_error, r.min, r.max, r.sketch, r.uniques
     from unnest($1::integer[]) as s (id) cross join lateral (select * from ${level.finer} r
       where r.tenant_id = $2 and r.series_id = s.id and r.window_start >= $3 and r.window_start < $4 limit 100000) r`,
    [
      series.map(({ id }) => id),
      window.tenant_id,
      window.window_start,
      new Date(window.window_start.getTime() + level.seconds * 1000),
    ],
  )
  const hasProperty = new Map(series.map(({ id, has_property }) => [id, has_property]))
  const cells = new Map<number, RollupCell>()
  for (const { series_id: id, count, sum_error, ...row } of rows) {
    let cell = cells.get(id)
    if (cell === undefined) {
      cell = new RollupCell({ id, tenantId: window.tenant_id, event: '', hasProperty: hasProperty.get(id) ?? false }, 0)
      cells.set(id, cell)
    }
    cell.merge({ ...row, count: Number(count), sumError: sum_error })
  }
  if (cells.size === 0) return
  await tx.query(
    `insert into ${level.table} (${CELL_COLUMNS}) ${SELECT_CELLS} on conflict (tenant_id, series_id, window_start) ${UPDATE_CELL}`,
    cellValues([...cells.values()], () => window.window_start.getTime() / 1000),
  )
}

async function markNext(tx: Transaction, level: number, window: DirtyWindow): Promise<void> {
  await tx.query(
    `insert into rollup_dirty as d (level_seconds, tenant_id, window_start)
     values ($1::integer, $2, to_timestamp(floor(extract(epoch from $3::timestamptz) / $1::integer) * $1::integer))
     on conflict (level_seconds, tenant_id, window_start) do update set version = d.version + 1`,
    [level, window.tenant_id, window.window_start],
  )
}
