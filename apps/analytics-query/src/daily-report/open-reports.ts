import type { Database } from '@millrace/database'
import type { Lifecycle } from '@millrace/service'
import type { Config } from '../config.js'
import { createRefreshDaily } from './refresh-daily.js'

/** How often to check whether a report is due; the check is one small statement. */
const LOOK_MS = 5_000

/** Refreshes the materialized view of the daily report in the background. */
export async function openReports(config: Config, lifecycle: Lifecycle, database: Database): Promise<void> {
  const { metrics } = lifecycle
  if (config.REPORT_REFRESH_INTERVAL === 0) return
  const duration = metrics.histogram({
    name: 'millrace_report_refresh_seconds',
    help: 'Time to refresh the materialized view of a report',
    labels: ['report'] as const,
  })
  const refresh = createRefreshDaily(
    {
      stream: config.STREAM_NAME,
      consumerGroup: config.STREAM_GROUP,
      intervalMs: config.REPORT_REFRESH_INTERVAL,
      timeoutMs: config.REPORT_REFRESH_TIMEOUT,
    },
    {
      database,
      now: () => Date.now(),
      onRefresh: (tookMs) => duration.with({ report: 'daily' }).observe(tookMs / 1000),
    },
  )
  await lifecycle.every('daily report', LOOK_MS, refresh)
}
