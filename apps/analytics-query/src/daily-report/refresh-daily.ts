import { ADVISORY_LOCKS, DAY_MS, NORMAL_DELAY_MS } from '@millrace/contracts'
import type { Database, Queryable, Transaction } from '@millrace/database'
import { mergeDailyUsers } from './daily-users.js'

export interface RefreshDailyConfig {
  readonly stream: string
  readonly consumerGroup: string
  /**
   * Minimum time between two refreshes, in ms. A refresh needs new events; when a day has become complete it is due at
   * once.
   */
  readonly intervalMs: number
  /** Statement timeout of a refresh, in ms. */
  readonly timeoutMs: number
}

export interface RefreshDailyDeps {
  readonly database: Pick<Database, 'query' | 'connection'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Called after each refresh. */
  readonly onRefresh?: (tookMs: number) => void
}

/** `current`: no refresh is due. `busy`: another process is refreshing. */
export type RefreshOutcome = 'refreshed' | 'current' | 'busy'

interface State {
  readonly now_watermark: Date | null
  readonly now_complete_until: Date | null
  readonly snapshot_xmin: string
  readonly refreshed_at: Date | null
  readonly watermark: Date | null
  readonly complete_until: Date | null
}

export const DAILY_DAYS = 90
/**
 * The first refresh merges all days of all tenants. In one transaction it could take hours and hold up vacuum in the
 * whole database.
 */
const DAYS_A_TRANSACTION = 200

/**
 * Returns a function that refreshes the daily report when it is due. Any number of processes may call it: an advisory
 * lock lets one of them work, and the next one sees that the refresh is done. Readers of the report are not blocked.
 * The watermark of the refresh is recorded in the same transaction and read before the rollups, so the report never
 * claims to be newer than it is.
 */
export function createRefreshDaily(config: RefreshDailyConfig, deps: RefreshDailyDeps): () => Promise<RefreshOutcome> {
  return async () => {
    if (!isDue(await readState(deps.database, config), config, deps.now())) return 'current'
    const connection = await deps.database.connection({ statementTimeoutMs: config.timeoutMs })
    try {
      for (;;) {
        const outcome = await connection.transaction((tx) => refreshOnce(tx, config, deps))
        if (outcome !== 'merging') return outcome
      }
    } finally {
      await connection.close()
    }
  }
}

/**
 * Read committed, so that the next owner of the lock sees the refresh of the previous one. The lock ends with the
 * transaction, also behind a connection pooler.
 */
async function refreshOnce(
  tx: Transaction,
  config: RefreshDailyConfig,
  deps: RefreshDailyDeps,
): Promise<RefreshOutcome | 'merging'> {
  const { rows } = await tx.query<{ locked: boolean }>(
    `select pg_try_advisory_xact_lock(hashtext('${ADVISORY_LOCKS.reports}'), hashtext('daily')) as locked`,
  )
  if (rows[0]?.locked !== true) return 'busy'
  const state = await readState(tx, config)
  const nowMs = deps.now()
  if (!isDue(state, config, nowMs)) return 'current'
  const startedAt = performance.now()
  const coversFromMs = Math.floor(nowMs / DAY_MS) * DAY_MS - (DAILY_DAYS - 1) * DAY_MS
  if ((await mergeDailyUsers(tx, coversFromMs, DAYS_A_TRANSACTION)) === DAYS_A_TRANSACTION) return 'merging'
  await tx.query('refresh materialized view concurrently daily_report_days')
  const tookMs = performance.now() - startedAt
  await noteRefresh(tx, state, { nowMs, coversFromMs, tookMs })
  deps.onRefresh?.(tookMs)
  return 'refreshed'
}

function isDue(state: State, { intervalMs }: RefreshDailyConfig, nowMs: number): boolean {
  if (state.refreshed_at === null) return true
  const dayOf = (time: Date | null) => Math.floor((time?.getTime() ?? 0) / DAY_MS)
  if (dayOf(state.now_complete_until) > dayOf(state.complete_until)) return true
  const hasMoved = (state.now_watermark?.getTime() ?? 0) > (state.watermark?.getTime() ?? 0)
  return hasMoved && nowMs - state.refreshed_at.getTime() >= intervalMs
}

/**
 * The state of the stream now and at the last refresh. Records before complete_until are in the rollups, except late
 * ones: window_versions holds their days with the id of the transaction that stored them.
 */
async function readState(reader: Queryable, { consumerGroup, stream }: RefreshDailyConfig): Promise<State> {
  const { rows } = await reader.query<State>(
    `select s.*, r.refreshed_at, r.watermark, r.complete_until
      from (
        select min(watermark) as now_watermark, pg_snapshot_xmin(pg_current_snapshot())::text as snapshot_xmin,
          case when count(*) > 0 and count(*) = count(watermark) then least(
            min(watermark) - $3::double precision * interval '1 millisecond',
            min(case when next_ordinal > flushed_ordinal then coalesce(unflushed_from, '-infinity') else 'infinity' end)
          ) end as now_complete_until
        from stream_partitions where group_name = $1 and stream = $2
      ) s left join report_refreshes r on r.name = 'daily'`,
    [consumerGroup, stream, NORMAL_DELAY_MS],
  )
  return rows[0] as State
}

async function noteRefresh(
  tx: Transaction,
  state: State,
  { nowMs, coversFromMs, tookMs }: { nowMs: number; coversFromMs: number; tookMs: number },
): Promise<void> {
  await tx.query(
    `insert into report_refreshes as r (name, refreshed_at, covers_from, complete_until, watermark, snapshot_xmin, took_ms)
      values ('daily', $1, $2, $3, $4, $5::text::xid8, $6)
      on conflict (name) do update set refreshed_at = excluded.refreshed_at, covers_from = excluded.covers_from, complete_until = excluded.complete_until,
        watermark = excluded.watermark, snapshot_xmin = excluded.snapshot_xmin, took_ms = excluded.took_ms`,
    [
      new Date(nowMs),
      new Date(coversFromMs),
      state.now_complete_until,
      state.now_watermark,
      state.snapshot_xmin,
      tookMs,
    ],
  )
}
