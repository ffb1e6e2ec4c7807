import { ADVISORY_LOCKS } from '@millrace/contracts'
import type { Database, Statement, Transaction } from '@millrace/database'
import { COARSE_LEVELS, type CoarseLevel, MINUTE_LEVEL, PACKED_LEVEL, windowStartS } from '@millrace/rollups'
import { mergeWindows, type SeriesOfTenant, seriesOfTenant } from './merge-windows.js'

interface Window {
  readonly tenant_id: number
  readonly window_start: Date
}

interface DirtyWindow extends Window {
  readonly version: bigint
}

/** Windows of one tenant and level that one transaction rebuilds: those inside one window of the next coarser level. */
type Span<W extends Window> = readonly [W, ...W[]]

export interface CompactorConfig {
  /** Most dirty windows that one run rebuilds. */
  readonly windowsMax: number
}

/** What one run of the compactor did. */
export interface CompactorRun {
  readonly rebuilt: number
  /** Whether the run ended because of `windowsMax`, so that more windows may be dirty. */
  readonly isCutShort: boolean
}

/**
 * Returns a function that rebuilds dirty windows from the windows of the next finer level: the finest level first, and
 * within a level the newest window first, so that a backfill of old events does not hold up the windows that dashboards
 * show. Only windows that have ended are rebuilt. Any number of processes may call it: an advisory lock lets one of
 * them work, the others return at once. When fewer than `windowsMax` windows are dirty, the rest of the run packs the
 * minutes of windows that an older release wrote without them, newest first. A window that cannot be packed is skipped
 * until the process restarts.
 */
export function createCompactor(
  config: CompactorConfig,
  { database }: { database: Database },
): () => Promise<CompactorRun> {
  let unpackedBefore: Date | null = null
  return async () => {
    let rebuilt = 0
    for (const level of COARSE_LEVELS) {
      const dirty = await selectDirty(database, level, config.windowsMax - rebuilt)
      for (const span of groupIntoSpans(level, dirty)) {
        if (!(await database.transaction((tx) => compact(tx, level, span)))) return { rebuilt, isCutShort: false }
        rebuilt += span.length
      }
      if (rebuilt >= config.windowsMax) return { rebuilt, isCutShort: true }
    }
    const unpacked = await selectUnpacked(database, unpackedBefore, config.windowsMax - rebuilt)
    for (const span of groupIntoSpans(PACKED_LEVEL, unpacked)) {
      if (!(await database.transaction((tx) => pack(tx, span)))) return { rebuilt, isCutShort: false }
      rebuilt += span.length
    }
    unpackedBefore = unpacked.at(-1)?.window_start ?? unpackedBefore
    return { rebuilt, isCutShort: rebuilt >= config.windowsMax }
  }
}

/** Keeps the order of `windows`. Days, the coarsest windows, are rebuilt one by one. */
function groupIntoSpans<W extends Window>(level: CoarseLevel, windows: readonly W[]): Span<W>[] {
  const spanSeconds = level.coarser?.seconds ?? level.seconds
  const spans = new Map<string, [W, ...W[]]>()
  for (const window of windows) {
    const key = `${window.tenant_id} ${windowStartS(window.window_start.getTime() / 1000, spanSeconds)}`
    const span = spans.get(key)
    if (span === undefined) spans.set(key, [window])
    else span.push(window)
  }
  return [...spans.values()]
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
    `select tenant_id, window_start, version from rollup_dirty d
     where level_seconds = $1 and window_start + make_interval(secs => $1) <= now()
       and not exists (select from rollup_dirty f where f.level_seconds = any ($3::integer[]) and f.tenant_id = d.tenant_id
         and f.window_start >= d.window_start and f.window_start < d.window_start + make_interval(secs => $1) offset 0)
     order by window_start desc limit $2`,
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
 * Rebuilds dirty windows. Their versions were read before their data: a flush that commits in between raises the
 * version of its window, which then stays dirty. SKIP LOCKED leaves the windows dirty that a flush is writing at this
 * moment, since waiting for several flushes could deadlock. Returns false when another process holds the compactor's
 * lock.
 */
async function compact(tx: Transaction, level: CoarseLevel, span: Span<DirtyWindow>): Promise<boolean> {
  const rebuilt = await rebuild(tx, level, span)
  if (rebuilt === null) return false
  if (rebuilt > 0 && level.coarser !== null) tx.atCommit(markDirtyStatement(level.coarser.seconds, span[0]))
  tx.atCommit({
    name: 'clear_rollup_dirty',
    text: `with clean as (select d.tenant_id, d.window_start from unnest($3::timestamptz[], $4::bigint[]) as c (window_start, version)
        join rollup_dirty d on d.level_seconds = $1 and d.tenant_id = $2 and d.window_start = c.window_start and d.version = c.version
        for update of d skip locked)
      delete from rollup_dirty d using clean where d.level_seconds = $1 and d.tenant_id = clean.tenant_id and d.window_start = clean.window_start`,
    values: [
      level.seconds,
      span[0].tenant_id,
      span.map(({ window_start }) => window_start),
      span.map(({ version }) => version),
    ],
  })
  return true
}

/** Leaves `rollup_dirty` alone: a window that a flush changed meanwhile is still dirty and is rebuilt again. */
async function pack(tx: Transaction, span: Span<Window>): Promise<boolean> {
  return (await rebuild(tx, PACKED_LEVEL, span)) !== null
}

/** Safe here: a crash undoes the whole transaction, so the windows have their old contents and are dirty again. */
const COMMIT_ASYNCHRONOUSLY: Statement = {
  name: 'commit_without_waiting',
  text: `select set_config('synchronous_commit', 'off', true)`,
}

/**
 * Rebuilds the windows whose finer windows are all still kept, and returns their number. The other windows stay
 * unchanged, since they would lose what only the deleted windows held. The shared lock on the finer level's row keeps
 * retention from advancing until the windows are written. Returns null when another process holds the compactor's lock.
 */
async function rebuild(tx: Transaction, level: CoarseLevel, span: Span<Window>): Promise<number | null> {
  const tenantId = span[0].tenant_id
  const [lock, complete, series] = await tx.pipeline([
    {
      name: 'lock_compactor',
      text: `select pg_try_advisory_xact_lock(hashtext('${ADVISORY_LOCKS.compactor}')) as locked`,
    },
    {
      name: 'select_complete_windows',
      text: `select w.start from rollup_levels l join unnest($2::timestamptz[]) as w (start) on l.kept_from <= w.start
        where l.level_seconds = $1 for share of l`,
      values: [level.finer.seconds, span.map(({ window_start }) => window_start)],
    },
    seriesOfTenant(tenantId),
    COMMIT_ASYNCHRONOUSLY,
  ])
  if (lock?.rows[0]?.locked !== true) return null
  const startsMs = (complete?.rows ?? []).map(({ start }) => (start as Date).getTime())
  if (startsMs.length > 0)
    await mergeWindows(tx, level, { tenantId, startsMs, series: (series?.rows ?? []) as unknown as SeriesOfTenant[] })
  return startsMs.length
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
