import { DAY_MS } from '@millrace/contracts'
import type { Database } from '@millrace/database'
import type { Lifecycle } from '@millrace/service'
import { openTopicWriter } from '@millrace/streams'
import type { Config } from '../config.js'
import { Mirror } from './mirror.js'
import { MirrorMetrics, readMirrorLagAtScrape } from './mirror-metrics.js'
import { MirrorPositions } from './mirror-positions.js'
import { createPreparePositions } from './prepare-positions.js'
import { createReadStoredEvents } from './read-stored-events.js'
import { TenantNames } from './tenant-names.js'

/** The mirror to KAFKA_MIRROR_TOPIC, or undefined when there is none. It starts while Kafka is down, too. */
export async function startMirror(
  config: Config,
  lifecycle: Lifecycle,
  database: Database,
): Promise<Mirror | undefined> {
  const topic = config.KAFKA_MIRROR_TOPIC
  if (topic === undefined) return undefined
  const { logger, metrics } = lifecycle
  const retentionMs = config.EVENTS_RETENTION_DAYS * DAY_MS
  return await lifecycle.start('mirror to Kafka', async () => {
    const mirror = new Mirror(
      { topic, startsAt: config.KAFKA_MIRROR_START, retentionMs },
      {
        writer: await openTopicWriter({ topic, partitions: config.KAFKA_MIRROR_PARTITIONS }, config),
        positions: new MirrorPositions({ topic, group: config.STREAM_GROUP, stream: config.STREAM_NAME }, { database }),
        tenants: new TenantNames(database),
        readStoredEvents: createReadStoredEvents({ database }),
        prepareReading: createPreparePositions({ database, logger }),
        metrics: new MirrorMetrics(metrics),
        logger,
        now: Date.now,
      },
    )
    readMirrorLagAtScrape(metrics, {
      lagRecords: () => mirror.lagRecords,
      lagMs: () => mirror.lagMs,
      retentionMs,
    })
    mirror.start()
    return [mirror, (budgetMs) => mirror.stop(budgetMs)]
  })
}
