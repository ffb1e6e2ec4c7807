import { DAY_MS } from '@millrace/contracts'
import type { Connection } from '@millrace/database'
import type { Logger } from '@millrace/logger'
import { readPublishedSettings } from '@millrace/service'

/**
 * Returns a function that says how old events may be that some gateway accepts, or that another consumer keeps, in ms. Gateways that were killed within
 * the last day count too. Retention deletes nothing younger, whatever EVENTS_RETENTION_DAYS of this process is.
 */
export function createAcceptedAge(
  { retentionDays }: { readonly retentionDays: number },
  { logger }: { readonly logger: Logger },
): (connection: Pick<Connection, 'query'>) => Promise<number> {
  let knownDays = retentionDays
  return async (connection) => {
    const running = await readPublishedSettings(connection)
    const seen = await readPublishedSettings(connection, { includesKilled: true })
    const days = [
      ...seen.filter(({ service }) => service === 'ingest-gateway').map(({ values }) => values.EVENTS_MAX_AGE_DAYS),
      ...running
        .filter(({ service }) => service === 'stream-consumer')
        .map(({ values }) => values.EVENTS_RETENTION_DAYS),
    ]
    const keptDays = Math.max(retentionDays, ...days.filter((value) => typeof value === 'number'))
    if (keptDays > retentionDays && keptDays !== knownDays)
      logger.warn(
        'events are kept longer than EVENTS_RETENTION_DAYS, because another service accepts or keeps older ones',
        {
          retention_days: retentionDays,
          kept_days: keptDays,
        },
      )
    knownDays = keptDays
    return keptDays * DAY_MS
  }
}
