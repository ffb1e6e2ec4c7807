import { DAY_MS, LATE_NOTICES_KEPT_MS } from '@millrace/contracts'
import { dayPartitions, type RetentionRule, rowsInUse, rowsOfTenants } from '@millrace/retention'
import { COARSE_LEVELS, type CoarseLevel } from '@millrace/rollups'
import { countExpired } from './count-expired.js'
import { rollupWindows } from './rollup-retention.js'

export interface RetentionTimes {
  /** Events, minutes of rollups, logins, activities and ended sessions. */
  readonly eventsMs: number
  /** The deduplication window, for which the journal is needed. */
  readonly deduplicationMs: number
  /** The windows of each coarse level. */
  readonly levelsMs: Readonly<Record<CoarseLevel['name'], number>>
}

/** What is kept how long, in the order of deletion. A further table is a further row. */
export function retentionRules(
  stream: string,
  { eventsMs, deduplicationMs, levelsMs }: RetentionTimes,
): RetentionRule[] {
  const events = dayPartitions('events', { beforeDrop: (table, context) => countExpired(stream, table, context) })
  return [
    { ...events, keptMs: eventsMs, takesEvents: true },
    { ...dayPartitions('rollups_1m'), keptMs: eventsMs, takesEvents: true },
    // A late event makes the compactor rebuild a window from all the finer windows in it.
    ...COARSE_LEVELS.map((level) => ({
      ...rollupWindows(level),
      keptMs: levelsMs[level.name],
      dependsOn: level.finer.table,
    })),
    // A row may be as old as the window and lie in the partition that begins a day earlier.
    { ...dayPartitions('event_journal'), keptMs: deduplicationMs + DAY_MS },
    {
      ...rowsInUse('window_versions', { key: ['tenant_id', 'event', 'day'], time: 'changed_at' }),
      keptMs: LATE_NOTICES_KEPT_MS,
    },
    { ...rowsOfTenants('login_events', { time: 'timestamp' }), keptMs: eventsMs, dependsOn: 'events' },
    {
      ...rowsOfTenants('activity_logs', { time: 'timestamp', isNullsFirst: true }),
      keptMs: eventsMs,
      dependsOn: 'events',
    },
    {
      ...rowsInUse('user_sessions', {
        key: ['tenant_id', 'session_id'],
        time: 'last_seen_at',
        condition: 'ended_at is not null',
      }),
      keptMs: eventsMs,
      dependsOn: 'events',
    },
  ]
}
