import { ADVISORY_LOCKS } from '@millrace/contracts'
import type { Database, Statement, Transaction } from '@millrace/database'
import { COARSE_LEVELS, type CoarseLevel, MINUTE_LEVEL, PACKED_LEVEL } from '@millrace/rollups'
import { mergeWindow, type SeriesOfTenant, seriesOfTenant, type Window } from './merge-window.js'

interface DirtyWindow extends Window {
  level_seconds: number
  version: bigint
}

export interface CompactorConfig {
  /** Most windows that one run rebuilds. */
  readonly windowsMax: number
}

/**
 * Returns a function that rebuilds dirty windows from the windows of the next finer level, finest level first, and
 * returns how many it rebuilt. Only windows that have ended are rebuilt. Any number of processes may call it: an
 * advisory lock lets one of them work, the others return at once. When fewer than `windowsMax` windows are dirty, the
 * rest of the run packs the minutes of windows that an older release wrote without them, newest first. A window that
 * cannot be packed is skipped until the process restarts.
 */
export function createCompactor(config: CompactorConfig, { database }: { database: Database }): () => Promise<number> {
  let unpackedBefore: Date | null = null
  return async () => {
    let rebuilt = 0
    for (const level of COARSE_LEVELS) {
      for (const window of await selectDirty(database, level, config.windowsMax - rebuilt)) {
        if (!(await database.transaction((tx) => compact(tx, level, window)))) return rebuilt
        rebuilt++
      }
    }
    const unpacked = await selectUnpacked(database, unpackedBefore, config.windowsMax - rebuilt)
    for (const window of unpacked) {
      if (!(await database.transaction((tx) => pack(tx, window)))) return rebuilt
      rebuilt++
    }
    unpackedBefore = unpacked.at(-1)?.window_start ?? unpackedBefore
    return rebuilt
  }
}

/**
 * A window with dirty finer windows inside it waits for them, since rebuilding them would make it dirty again. OFFSET
 * 0 keeps the subquery a look-up in the primary key for each window. As a join, PostgreSQL compared every window with
 * every other one, and after a large backfill with tens of thousands of dirty windows the statement ran into its
 * timeout each time.
 */
async function selectDirty(database: Database, { seconds }: CoarseLevel, limit: number): Promise<DirtyWindow[]> {
  const finer = COARSE_LEVELS.filter((level) => level.seconds < seconds).map((level) => level.seconds)
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

/** Uses the partial index on rows without packed minutes. One window may have such rows of several tenants. */
async function selectUnpacked(database: Database, before: Date | null, limit: number): Promise<Window[]> {
  const { rows } = await database.query<Window>(
    `select distinct tenant_id, window_start from ${PACKED_LEVEL.table}
     where minutes is null and window_start in (select distinct window_start from ${PACKED_LEVEL.table}
       where minutes is null and window_start < coalesce($1::timestamptz, 'infinity')
         and window_start >= (select kept_from from rollup_levels where level_seconds = ${MINUTE_LEVEL.seconds}) order by window_start desc limit $2)
     order by window_start desc`,
    [before, limit],
  )
  return rows
}

/**
 * Rebuilds one dirty window. Its version was read before its data: a flush that commits in between raises the
 * version, and the window stays dirty. Returns false when another process holds the compactor's lock.
 */
async function compact(tx: Transaction, level: CoarseLevel, window: DirtyWindow): Promise<boolean> {
  const isRebuilt = await rebuild(tx, level, window)
  if (isRebuilt === null) return false
  if (isRebuilt && level.coarser !== null) tx.atCommit(markDirtyStatement(level.coarser.seconds, window))
  tx.atCommit({
    name: 'clear_rollup_dirty',
    text: 'delete from rollup_dirty where level_seconds = $1 and tenant_id = $2 and window_start = $3 and version = $4',
    values: [level.seconds, window.tenant_id, window.window_start, window.version],
  })
  return true
}

/** Leaves `rollup_dirty` alone: a window that a flush changed meanwhile is still dirty and is rebuilt again. */
async function pack(tx: Transaction, window: Window): Promise<boolean> {
  return (await rebuild(tx, PACKED_LEVEL, window)) !== null
}

/** Safe here: a crash undoes the whole transaction, so the window has its old contents and is dirty again. */
const COMMIT_ASYNCHRONOUSLY: Statement = {
  name: 'commit_without_waiting',
  text: `select set_config('synchronous_commit', 'off', true)`,
}

/**
 * Rebuilds a window if all its finer windows are still kept. Otherwise the window stays unchanged and false is
 * returned, since it would lose what only the deleted windows held. The shared lock on the finer level's row keeps
 * retention from advancing until the window is written. Returns null when another process holds the compactor's lock.
 */
async function rebuild(tx: Transaction, level: CoarseLevel, window: Window): Promise<boolean | null> {
  const [lock, complete, series] = await tx.pipeline([
    {
      name: 'lock_compactor',
      text: `select pg_try_advisory_xact_lock(hashtext('${ADVISORY_LOCKS.compactor}')) as locked`,
    },
    {
      name: 'is_level_complete',
      text: 'select from rollup_levels where level_seconds = $1 and kept_from <= $2 for share',
      values: [level.finer.seconds, window.window_start],
    },
    seriesOfTenant(window.tenant_id),
    COMMIT_ASYNCHRONOUSLY,
  ])
  if (lock?.rows[0]?.locked !== true) return null
  if (complete?.rowCount === 0) return false
  await mergeWindow(tx, level, { window, series: (series?.rows ?? []) as unknown as SeriesOfTenant[] })
  return true
}

function markDirtyStatement(levelSeconds: number, window: Window): Statement {
  return {
    name: 'mark_next_level',
    text: `insert into rollup_dirty as d (level_seconds, tenant_id, window_start)
     values ($1::integer, $2, to_timestamp(floor(extract(epoch from $3::timestamptz) / $1::integer) * $1::integer))
     on conflict (level_seconds, tenant_id, window_start) do update set version = d.version + 1`,
    values: [levelSeconds, window.tenant_id, window.window_start],
  }
}
