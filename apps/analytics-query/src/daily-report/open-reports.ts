import type { Database } from '@millrace/database'
import type { Lifecycle } from '@millrace/service'
import type { Config } from '../config.js'
import { createRefreshDaily } from './refresh-daily.js'

/** How often it is looked whether a report is due; a look is one small statement. */
const LOOK_MS = 5_000

/** Keeps the materialized views refreshed for as long as the service runs. A failure is logged when it is the first in a row. */
export async function openReports(config: Config, lifecycle: Lifecycle, database: Database): Promise<void> {
  const { logger, metrics } = lifecycle
  if (config.REPORT_REFRESH_INTERVAL === 0) return
  const duration = metrics.histogram({
    name: 'millrace_report_refresh_seconds',
    help: 'Time of refreshing the materialized view of a report',
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
  await lifecycle.start('refreshing of reports', () => {
    let isFailing = false
    let running: Promise<void> | undefined
    const look = async () => {
      try {
        await refresh()
        if (isFailing) logger.info('reports are refreshed again', { report: 'daily' })
        isFailing = false
      } catch (error) {
        if (!isFailing)
          logger.warn('a report could not be refreshed and will be tried again', { report: 'daily', error })
        isFailing = true
      }
      running = undefined
    }
    const begin = () => {
      running ??= look()
    }
    begin()
    const timer = setInterval(begin, LOOK_MS)
    const stop = async () => {
      clearInterval(timer)
      await running
    }
    return [undefined, stop]
  })
}
