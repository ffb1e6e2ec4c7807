import { ADVISORY_LOCKS } from '@millrace/contracts'
import type { Database, Statement, Transaction } from '@millrace/database'
import { mergeWindow, type SeriesOfTenant, seriesOfTenant, type Window } from './merge-window.js'
import { COARSE_LEVELS, type CoarseLevel } from './rollup-levels.js'

interface DirtyWindow extends Window {
  level_seconds: number
  version: bigint
}

export interface CompactorConfig {
  /** Windows made anew in one run. */
  readonly windowsMax: number
}

/**
 * Returns a function that makes dirty coarser windows anew from the next finer ones, those of 5 minutes first, and says how many it made. Any number
 * of processes may call it: an advisory lock lets one work. Windows that are still open wait for their end. What is left of a run goes
 * to windows whose minutes are not packed, from before they were, newest first; one that cannot be packed is left until the process starts again.
 */
export function createCompactor(config: CompactorConfig, { database }: { database: Database }): () => Promise<number> {
  let unpackedBefore: Date | null = null
  return async () => {
    let made = 0
    for (const level of COARSE_LEVELS) {
      for (const window of await selectDirty(database, level, config.windowsMax - made)) {
        if (!(await database.transaction((tx) => compact(tx, level, window)))) return made
        made++
      }
    }
    const unpacked = await selectUnpacked(database, unpackedBefore, config.windowsMax - made)
    for (const window of unpacked) {
      if (!(await database.transaction((tx) => pack(tx, window)))) return made
      made++
    }
    unpackedBefore = unpacked.at(-1)?.window_start ?? unpackedBefore
    return made
  }
}

/**
 * A window waits for finer ones in it, which would only make it dirty again. OFFSET keeps the look for those one look in the primary key a window: as a join
 * every window is compared with every other, and after a large backfill, with tens of thousands of them, that never ended within the statement's time.
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

const FIVE_MINUTES = COARSE_LEVELS[0] as CoarseLevel

/** Along the index over rows without packed minutes; a window may have such rows of several tenants. */
async function selectUnpacked(database: Database, before: Date | null, limit: number): Promise<Window[]> {
  const { rows } = await database.query<Window>(
    `select distinct tenant_id, window_start from rollups_5m
     where minutes is null and window_start in (select distinct window_start from rollups_5m
       where minutes is null and window_start < coalesce($1::timestamptz, 'infinity')
         and window_start >= (select kept_from from rollup_levels where level_seconds = 60) order by window_start desc limit $2)
     order by window_start desc`,
    [before, limit],
  )
  return rows
}

/**
 * One window. Its version was read before its data, so a flush that came in between has raised it, and the mark stays for another time.
 * Returns false when another process is at work.
 */
async function compact(tx: Transaction, level: CoarseLevel, window: DirtyWindow): Promise<boolean> {
  const isMade = await remake(tx, level, window)
  if (isMade === null) return false
  if (isMade && level.next !== null) tx.atCommit(markNextStatement(level.next, window))
  tx.atCommit({
    name: 'clear_rollup_dirty',
    text: 'delete from rollup_dirty where level_seconds = $1 and tenant_id = $2 and window_start = $3 and version = $4',
    values: [level.seconds, window.tenant_id, window.window_start, window.version],
  })
  return true
}

/** The marks are left as they are: what a flush has changed is made anew all the same. */
async function pack(tx: Transaction, window: Window): Promise<boolean> {
  return (await remake(tx, FIVE_MINUTES, window)) !== null
}

/** What a crash takes back it takes back whole: the window is as it was and its mark is there again. */
const NOT_WAITING_FOR_DISK: Statement = {
  name: 'commit_without_waiting',
  text: `select set_config('synchronous_commit', 'off', true)`,
}

/**
 * Makes a window anew if the finer ones are all there. Those past their retention are not, and it is left as it is instead of being made from what is left;
 * the lock on the level keeps retention from moving on before the window is written. Null when another process is at work.
 */
async function remake(tx: Transaction, level: CoarseLevel, window: Window): Promise<boolean | null> {
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
    NOT_WAITING_FOR_DISK,
  ])
  if (lock?.rows[0]?.locked !== true) return null
  if (complete?.rowCount === 0) return false
  await mergeWindow(tx, level, { window, series: (series?.rows ?? []) as unknown as SeriesOfTenant[] })
  return true
}

function markNextStatement(level: number, window: Window): Statement {
  return {
    name: 'mark_next_level',
    text: `insert into rollup_dirty as d (level_seconds, tenant_id, window_start)
     values ($1::integer, $2, to_timestamp(floor(extract(epoch from $3::timestamptz) / $1::integer) * $1::integer))
     on conflict (level_seconds, tenant_id, window_start) do update set version = d.version + 1`,
    values: [level, window.tenant_id, window.window_start],
  }
}
