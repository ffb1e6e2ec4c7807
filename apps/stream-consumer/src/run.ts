import { hostname } from 'node:os'
import {
  ADVISORY_LOCKS,
  CHANNELS,
  ConsumerServiceService,
  DAY_MS,
  descriptorSet,
  HOUR_MS,
  MINUTE_MS,
  SECOND_MS,
} from '@millrace/contracts'
import { type Database, DayPartitions, EventSegments, startDatabase } from '@millrace/database'
import { type RedisConnection, startRedis } from '@millrace/redis'
import { createRetention } from '@millrace/retention'
import { COARSE_LEVELS } from '@millrace/rollups'
import { agreeOnSettings, implementService, type Lifecycle, type Started, startGrpcServer } from '@millrace/service'
import {
  ConsumerMetrics,
  FRAME_FLAG,
  openProducer,
  openStreamDriver,
  type Producer,
  ProducerMetrics,
  runConsumer,
  type StreamDriver,
} from '@millrace/streams'
import { createGrpcMetrics, createResilienceMetrics } from '@millrace/telemetry'
import { createCompactor } from './aggregate/compactor.js'
import { Rollups } from './aggregate/rollups.js'
import { SeriesRegistry } from './aggregate/series-registry.js'
import { type Config, rollupRetentionSetting } from './config.js'
import { DedupWindows } from './deduplicate/dedup-windows.js'
import { CommitWatch } from './live/commit-watch.js'
import { LiveCounts } from './live/live-counts.js'
import { LiveHub } from './live/live-hub.js'
import { createPublish } from './live/publish.js'
import { KnownWatermark, readWatermark } from './live/watermark.js'
import { createAcceptedAge } from './maintain/accepted-age.js'
import { closeIdleSessions } from './maintain/close-idle-sessions.js'
import { createPartitionsAhead } from './maintain/create-partitions.js'
import { type RetentionTimes, retentionRules } from './maintain/retention-rules.js'
import { publishRollupCutoffs } from './maintain/rollup-retention.js'
import { summariseTimeIndex } from './maintain/summarise-time-index.js'
import { ConsumerAppMetrics, readGaugesAtScrape } from './metrics.js'
import { createMirrorHandler } from './mirror/mirror-handler.js'
import { startMirror } from './mirror/start-mirror.js'
import { createDiscardDeadLetter } from './rpc/discard-dead-letter.js'
import { createGetReceipt } from './rpc/get-receipt.js'
import { createListDeadLetters } from './rpc/list-dead-letters.js'
import { ReplayBatch } from './rpc/replay-batch.js'
import { createReplayDeadLetter } from './rpc/replay-dead-letter.js'
import { createWatchLive } from './rpc/watch-live.js'
import { EventsHandler } from './stream/events-handler.js'
import { tuneGarbageCollection } from './tune-garbage-collection.js'
import { createTypedSteps } from './typed/typed-steps.js'

const MB = 1024 * 1024
const PARTITIONS_EVERY_MS = HOUR_MS
const RETENTION_EVERY_MS = HOUR_MS
/** At 100,000 rows a second, reading the newest events scans up to 200,000 rows that are not in the index yet. */
const TIME_INDEX_EVERY_MS = 2_000
/** At 100,000 rows a second, a table grows by 80 MB between two checks. */
const SEGMENTS_EVERY_MS = 2_000
const SESSIONS_EVERY_MS = MINUTE_MS
/** A backfill changes more days than are worth a message each. Readers also look at the table every second. */
const LATE_MESSAGES_MAX = 200

/** Parts that several others use. */
interface Parts {
  readonly database: Database
  readonly dayPartitions: DayPartitions
  readonly segments: EventSegments
  readonly noticeRedis: RedisConnection
  readonly driver: StreamDriver
  readonly live: LiveCounts
  readonly hub: LiveHub
  readonly commitWatch: CommitWatch
  readonly watermark: KnownWatermark
  readonly appMetrics: ConsumerAppMetrics
  readonly onBytesFreed: (bytes: number) => void
}

/** The composition root: the only file that knows all concrete parts. Parts stop in reverse order. */
export async function run(config: Config, lifecycle: Lifecycle): Promise<void> {
  const onBytesFreed = tuneGarbageCollection()
  const parts = await startParts(config, lifecycle, onBytesFreed)
  await startMaintenance(config, lifecycle, parts)
  await startStorage(config, lifecycle, parts)
  await startLive(config, lifecycle, parts)
  await startRpc(config, lifecycle, parts)
}

async function startParts(config: Config, lifecycle: Lifecycle, onBytesFreed: (bytes: number) => void): Promise<Parts> {
  const { metrics } = lifecycle
  const database = await lifecycle.start('database', () => startDatabase(config, lifecycle))
  await agreeOnSettings(config, lifecycle, database)
  lifecycle.ready('database', () => database.ping().then(() => undefined))
  const { streamRedis, cacheRedis: noticeRedis } = await startRedis(config, lifecycle)
  if (streamRedis !== undefined) lifecycle.ready('stream-redis', () => streamRedis.check())
  const driver = await lifecycle.start('stream driver', async () => {
    const made = await openStreamDriver(config, { redis: streamRedis, logger: lifecycle.logger })
    return [made, () => made.close()]
  })
  if (config.STREAM_DRIVER === 'kafka')
    lifecycle.ready('stream-kafka', async () => {
      const partitions = Array.from({ length: config.STREAM_PARTITIONS }, (_, partition) => partition)
      await driver.describe(config.STREAM_NAME, partitions)
    })
  const shared = {
    onBytesFreed,
    live: new LiveCounts(),
    hub: new LiveHub(),
    commitWatch: new CommitWatch(),
    watermark: new KnownWatermark(),
    appMetrics: new ConsumerAppMetrics(metrics),
  }
  const segments = new EventSegments({ bytesMin: config.EVENTS_SEGMENT_MB * MB }, database)
  return { database, dayPartitions: new DayPartitions(database), segments, noticeRedis, driver, ...shared }
}

async function startMaintenance(
  config: Config,
  lifecycle: Lifecycle,
  { database, dayPartitions, segments, appMetrics }: Parts,
): Promise<void> {
  const { logger } = lifecycle
  const compact = createCompactor({ windowsMax: 2000 }, { database })
  const retain = createRetention(
    { rules: retentionRules(config.STREAM_NAME, retentionTimes(config)), lock: ADVISORY_LOCKS.retention },
    {
      database,
      logger,
      now: Date.now,
      acceptedMs: createAcceptedAge({ retentionDays: config.EVENTS_RETENTION_DAYS }, { logger }),
      publishCutoffs: publishRollupCutoffs,
      onRowsDeleted: (relation, rows) => appMetrics.addDeleted(relation, rows),
      onPartitionsDropped: () => dayPartitions.forget(),
    },
  )
  await lifecycle.every('day partitions', PARTITIONS_EVERY_MS, () => createPartitionsAhead(dayPartitions, Date.now()))
  await lifecycle.every('retention', RETENTION_EVERY_MS, retain)
  await lifecycle.every('time index', TIME_INDEX_EVERY_MS, () => summariseTimeIndex(database, Date.now()))
  await lifecycle.every('day segments', SEGMENTS_EVERY_MS, async () => {
    for (const table of await segments.roll()) logger.info('a busy day of events continues in a new table', { table })
  })
  const compactor = await lifecycle.every('rollup compactor', config.ROLLUP_COMPACT_MS, async () => {
    const { rebuilt, isCutShort } = await compact()
    appMetrics.addCompacted(rebuilt)
    // A backfilled year makes 100,000 windows dirty. The task still rests as long as it worked.
    if (isCutShort) compactor.runSoon()
  })
  await lifecycle.every('idle sessions', SESSIONS_EVERY_MS, async () =>
    appMetrics.addClosedSessions(await closeIdleSessions(database, config.SESSION_IDLE_MINUTES * MINUTE_MS)),
  )
}

function retentionTimes(config: Config): RetentionTimes {
  const levelsMs = COARSE_LEVELS.map(({ name }) => [name, config[rollupRetentionSetting(name)] * DAY_MS])
  return {
    eventsMs: config.EVENTS_RETENTION_DAYS * DAY_MS,
    deduplicationMs: config.DEDUP_WINDOW_HOURS * HOUR_MS,
    levelsMs: Object.fromEntries(levelsMs) as RetentionTimes['levelsMs'],
  }
}

async function startStorage(config: Config, lifecycle: Lifecycle, parts: Parts): Promise<void> {
  const { logger, metrics, tracer } = lifecycle
  const { database, dayPartitions, segments, driver, live, appMetrics, noticeRedis } = parts
  const windowMs = config.DEDUP_WINDOW_HOURS * HOUR_MS
  const idsMax = config.DEDUP_IDS_MAX
  const rollups = new Rollups({
    flushMs: config.ROLLUP_FLUSH_MS,
    eagerBytesPerSecond: config.ROLLUP_EAGER_BYTES_PER_SECOND,
    eagerPauseMs: config.ROLLUP_EAGER_PAUSE_MS,
    rollupsMax: config.ROLLUP_CELLS_MAX,
  })
  readGaugesAtScrape(metrics, {
    rollupsInMemory: () => rollups.size,
    dirtyRollups: () => rollups.dirtySize,
    watchers: () => parts.hub.size,
    watermark: () => parts.watermark.last,
  })
  const publish = createPublish(noticeRedis, logger)
  const handler = new EventsHandler(
    { stream: config.STREAM_NAME, windowMs, idsMax },
    {
      database,
      dayPartitions,
      segments,
      rollups,
      live,
      logger,
      tracer,
      metrics: appMetrics,
      onBytesFreed: parts.onBytesFreed,
      windows: new DedupWindows({ windowMs, idsMax }),
      registry: new SeriesRegistry({ seriesMax: config.ROLLUP_SERIES_MAX }, { database }),
      typedSteps: createTypedSteps(),
      announceLate: (windows) => windows.length <= LATE_MESSAGES_MAX && publish(CHANNELS.lateEvents, windows),
      now: Date.now,
      monotonicMs: () => performance.now(),
    },
  )
  // Before the consumer, so that it stops after it and can mirror the last batches.
  const mirror = await startMirror(config, lifecycle, database)
  const consumer = await lifecycle.start('stream consumer', async () => {
    const consumer = await runConsumer(
      {
        driver,
        database,
        handler: mirror === undefined ? handler : createMirrorHandler(handler, mirror),
        stream: config.STREAM_NAME,
        group: config.STREAM_GROUP,
        member: `${hostname()}:${process.pid}`,
        instance: config.KAFKA_GROUP_INSTANCE_ID,
        settings: {
          partitions: config.STREAM_PARTITIONS,
          batchRecordsMax: config.BATCH_RECORDS_MAX,
          batchFramesMax: config.BATCH_FRAMES_MAX,
          batchBytesMax: config.BATCH_BYTES_MAX,
          batchLingerMs: config.BATCH_LINGER_MS,
          blockMs: config.STREAM_BLOCK_MS,
          leaseMs: config.LEASE_MS,
          stallAfterMs: config.STREAM_STALL_MS,
          windowRecords: config.STREAM_WINDOW_RECORDS,
          windowMs: config.STREAM_WINDOW_DAYS * DAY_MS,
          producerMemoryMs: config.STREAM_PRODUCER_DAYS * DAY_MS,
          trimMemoryShare: config.STREAM_TRIM_MEMORY_SHARE,
        },
      },
      {
        logger,
        tracer,
        metrics: new ConsumerMetrics(metrics),
        onCommitted: (notices) => publish(CHANNELS.committed, [notices]),
      },
    )
    return [consumer, (budgetMs) => consumer.stop(budgetMs)]
  })
  lifecycle.ready('consumer', () => {
    const { blockedReason, stalledPartitions } = consumer.state()
    if (blockedReason !== undefined) throw new Error(`no batch can be stored: ${blockedReason}`)
    if (stalledPartitions.length > 0)
      throw new Error(`frames of partitions ${stalledPartitions.join(', ')} cannot be read`)
  })
}

async function startLive(
  config: Config,
  lifecycle: Lifecycle,
  { noticeRedis, database, watermark, hub, live, commitWatch }: Parts,
): Promise<void> {
  const { logger } = lifecycle
  await lifecycle.start('commit subscription', () => {
    // Missed messages need no handling: a waiting receipt also reads the journal twice a second, and live counts are
    // only valid for a second.
    const subscription = noticeRedis.subscribe(
      [CHANNELS.committed, CHANNELS.liveCounts],
      (message, channel) => {
        if (channel === CHANNELS.committed) commitWatch.receive(message)
        else hub.receive(message)
      },
      { name: 'notices' },
    )
    return [undefined, () => subscription.close()]
  })
  const publish = createPublish(noticeRedis, logger)
  const group = { group: config.STREAM_GROUP, stream: config.STREAM_NAME }
  await lifecycle.every('watermark', SECOND_MS, async () => {
    watermark.last = await readWatermark(database, group)
  })
  await lifecycle.every('live counts', SECOND_MS, async () => {
    publish(CHANNELS.liveCounts, live.take(Date.now()))
    // Without a query, so that live counts go on while PostgreSQL does not answer.
    hub.tick(watermark.last)
  })
}

async function startRpc(
  config: Config,
  lifecycle: Lifecycle,
  { database, driver, hub, commitWatch }: Parts,
): Promise<void> {
  const { logger, metrics, tracer } = lifecycle
  const producer = await lifecycle.start('replay producer', async (): Promise<Started<Producer<ReplayBatch>>> => {
    const opened = await openProducer(
      {
        stream: config.STREAM_NAME,
        partitions: config.STREAM_PARTITIONS,
        createBuilder: () => new ReplayBatch(),
        lingerMs: 0,
        flags: FRAME_FLAG.replay,
      },
      { driver, logger, metrics: new ProducerMetrics(metrics), resilienceMetrics: createResilienceMetrics(metrics) },
    )
    return [opened, (budgetMs) => opened.close(budgetMs)]
  })
  const service = implementService(ConsumerServiceService, {
    getReceipt: createGetReceipt({ stream: config.STREAM_NAME }, { database, commitWatch }),
    listDeadLetters: createListDeadLetters({ database }),
    replayDeadLetter: createReplayDeadLetter({ database, producer }),
    discardDeadLetter: createDiscardDeadLetter({ database }),
    watchLive: createWatchLive({ hub, now: Date.now }),
  })
  await lifecycle.start('grpc server', () =>
    startGrpcServer(
      { port: config.GRPC_PORT, host: config.GRPC_HOST, setting: 'GRPC_PORT', descriptorSet: descriptorSet() },
      { services: [service], logger, metrics: createGrpcMetrics(metrics), tracer },
    ),
  )
}
