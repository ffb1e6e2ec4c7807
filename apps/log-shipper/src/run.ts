import { hostname } from 'node:os'
import { join } from 'node:path'
import { createKeyVerifier, createRateLimiter, type KeyVerifier } from '@millrace/auth'
import {
  ADVISORY_LOCKS,
  coreErrors,
  DAY_MS,
  descriptorSet,
  HOUR_MS,
  LogServiceService,
  MINUTE_MS,
  SECOND_MS,
} from '@millrace/contracts'
import { type Database, DayPartitions, startDatabase } from '@millrace/database'
import { Cors, createIntake, ResponseWriter } from '@millrace/http-intake'
import { createMasker, type Masker } from '@millrace/masking'
import { type RedisConnection, startRedis } from '@millrace/redis'
import { createRetention } from '@millrace/retention'
import {
  agreeOnSettings,
  createSecurityHeaders,
  implementService,
  type Lifecycle,
  startGrpcServer,
  startHttpServer,
} from '@millrace/service'
import {
  ConsumerMetrics,
  createFlushProduced,
  DiskWatch,
  openProducer,
  openStreamDriver,
  ProducedCounts,
  type Producer,
  ProducerMetrics,
  runConsumer,
  type StreamDriver,
} from '@millrace/streams'
import { createGrpcMetrics, createHttpMetrics, createResilienceMetrics, type GrpcMetrics } from '@millrace/telemetry'
import { LogFrameBuilder } from './append/log-frame.js'
import { startArchive } from './archive/start-archive.js'
import type { Config } from './config.js'
import { type AcceptLogs, createAcceptLogs } from './intake/accept-logs.js'
import { createLogRoutes } from './intake/create-log-routes.js'
import { startListeners } from './listeners/start-listeners.js'
import { createWatchLogs } from './live/watch-logs.js'
import { readTailAtScrape, ShipperMetrics } from './metrics.js'
import { createCountLogs, createFindLogPatterns, createTopLogValues } from './rpc/count-logs.js'
import { createGetLogContext } from './rpc/get-log-context.js'
import { createSearchLogs } from './rpc/search-logs.js'
import { createTransformCalls } from './rpc/transforms.js'
import { readWatermark } from './search/read-watermark.js'
import { HTTP_SOURCES } from './sources/sources.js'
import { ChunkThread } from './store/chunk-thread.js'
import { groupFilters } from './store/group-filters.js'
import { logRetentionRules } from './store/log-retention.js'
import { LogsHandler } from './store/logs-handler.js'
import { StreamTail } from './store/stream-tail.js'
import { MemoryTail } from './tail/memory-tail.js'
import { CurrentRules } from './transforms/current-rules.js'
import { RuleStore } from './transforms/rule-store.js'

const FLUSH_MS = SECOND_MS
const DISK_CHECK_MS = SECOND_MS
const RULES_REFRESH_MS = 500
const OVERDUE_CHECK_MS = SECOND_MS
const PRODUCER_CLOSE_MS = 5000
const DAYS_AHEAD = 3
/** Decoding each chunk again would cost a fifth of building it. */
const PROVEN_SHARE = 0.01

/** What several parts need. */
interface Parts {
  readonly config: Config
  readonly lifecycle: Lifecycle
  readonly database: Database
  readonly driver: StreamDriver
  readonly cacheRedis: RedisConnection
  readonly metrics: ShipperMetrics
  readonly grpcMetrics: GrpcMetrics
}

/** The composition root: the only file that knows all concrete parts. Parts stop in reverse order: the servers first, the database last. */
export async function run(config: Config, lifecycle: Lifecycle): Promise<void> {
  const parts = await startParts(config, lifecycle)
  const tail = await startStorage(parts)
  await startArchive(config, parts)
  const masker = createMasker({ fieldNames: config.LOG_MASK_FIELDS })
  const rules = await followRules(parts)
  const { acceptLogs, checkIntake } = await startIntake(parts, { masker, rules })
  await startRpc(parts, { tail, masker, rules })
  const verifier = await startVerifier(parts)
  await startHttp(parts, { acceptLogs, checkIntake, verifier })
  await startListeners({ ...parts, acceptLogs, verifier })
}

async function startParts(config: Config, lifecycle: Lifecycle): Promise<Parts> {
  const database = await lifecycle.start('database', () => startDatabase(config, lifecycle))
  await agreeOnSettings(config, lifecycle, database)
  const { streamRedis, cacheRedis } = await startRedis(config, lifecycle)
  const driver = await lifecycle.start('stream driver', async () => {
    const made = await openStreamDriver(config, { redis: streamRedis, logger: lifecycle.logger })
    return [made, () => made.close()]
  })
  const metrics = new ShipperMetrics(lifecycle.metrics)
  return { config, lifecycle, database, driver, cacheRedis, metrics, grpcMetrics: createGrpcMetrics(lifecycle.metrics) }
}

/** The consumer that stores the lines, and what keeps its table in order. */
async function startStorage({ config, lifecycle, database, driver, metrics }: Parts): Promise<MemoryTail> {
  const { logger, tracer } = lifecycle
  const tail = new MemoryTail()
  readTailAtScrape(lifecycle.metrics, tail)
  const dayPartitions = new DayPartitions(database)
  const retentionMs = config.LOG_RETENTION_DAYS * DAY_MS
  await lifecycle.every('day partitions of log lines', HOUR_MS, () =>
    dayPartitions.ensure('log_chunks', Date.now() - DAY_MS, Date.now() + DAYS_AHEAD * DAY_MS),
  )
  const isArchived = config.ARCHIVE_MASTER_KEYS !== undefined
  const rules = logRetentionRules({ stream: config.LOG_STREAM_NAME, retentionMs, isArchived })
  const retain = createRetention(
    { rules, lock: ADVISORY_LOCKS.logRetention },
    { database, logger, now: Date.now, onPartitionsDropped: () => dayPartitions.forget() },
  )
  await lifecycle.every('retention of log lines', HOUR_MS, retain)
  await lifecycle.every('groups of token filters', MINUTE_MS, async () => {
    await groupFilters(database)
  })
  const rule = { retentionMs, provenShare: config.NODE_ENV === 'production' ? PROVEN_SHARE : 1 }
  const thread = await lifecycle.start('thread that builds chunks', () => {
    const started = new ChunkThread({ rule })
    return [started, () => started.close()]
  })
  const handler = new LogsHandler(
    {
      stream: config.LOG_STREAM_NAME,
      group: config.LOG_STREAM_GROUP,
      windowLines: config.LOG_WINDOW_LINES,
      windowMs: config.LOG_WINDOW_SECONDS * SECOND_MS,
      tailBytesMax: config.LOG_TAIL_BYTES_MAX,
    },
    {
      database,
      dayPartitions,
      tail,
      build: (batches) => thread.build(batches),
      metrics,
      logger,
      monotonicMs: () => performance.now(),
    },
  )
  const consumer = await lifecycle.start('stream consumer', async () => {
    const started = await runConsumer(
      {
        driver,
        database,
        handler,
        stream: config.LOG_STREAM_NAME,
        group: config.LOG_STREAM_GROUP,
        member: `${hostname()}:${process.pid}`,
        settings: { partitions: config.LOG_STREAM_PARTITIONS, leaseMs: config.LEASE_MS },
      },
      { logger, tracer, metrics: new ConsumerMetrics(lifecycle.metrics) },
    )
    return [started, (budgetMs) => started.stop(budgetMs)]
  })
  lifecycle.ready('consumer', () => {
    const { blockedReason, stalledPartitions } = consumer.state()
    if (blockedReason !== undefined) throw new Error(`no lines can be stored: ${blockedReason}`)
    if (stalledPartitions.length > 0)
      throw new Error(`frames of partitions ${stalledPartitions.join(', ')} cannot be read`)
  })
  return tail
}

/** What the rules of tenants need, when lines arrive and when rules are tried. */
interface Transforming {
  readonly masker: Masker
  readonly rules: CurrentRules
}

/** Rules that were changed are in use within half a second. Until they were read once, no lines are taken. */
async function followRules({ lifecycle, database }: Parts): Promise<CurrentRules> {
  const rules = new CurrentRules({ database, logger: lifecycle.logger })
  await lifecycle.every('rules for log lines', RULES_REFRESH_MS, () => rules.refresh())
  return rules
}

async function startRpc(
  { config, lifecycle, database, driver, grpcMetrics }: Parts,
  { tail, masker, rules }: Transforming & { readonly tail: MemoryTail },
): Promise<void> {
  const { logger, tracer } = lifecycle
  const group = { group: config.LOG_STREAM_GROUP, stream: config.LOG_STREAM_NAME }
  const streamTail = new StreamTail(
    { ...group, partitions: config.LOG_STREAM_PARTITIONS, bytesMax: config.LOG_TAIL_BYTES_MAX },
    { database, driver, logger },
  )
  const deps = { database, tail, streamTail, now: Date.now, readWatermark: () => readWatermark(database, group) }
  const searchLogs = createSearchLogs(deps)
  const store = new RuleStore(database)
  const service = implementService(LogServiceService, {
    searchLogs,
    ...createTransformCalls({ store, current: rules, masker, searchLogs, now: Date.now }),
    getLogContext: createGetLogContext(deps),
    countLogs: createCountLogs(deps),
    topLogValues: createTopLogValues(deps),
    findLogPatterns: createFindLogPatterns(deps),
    watchLogs: createWatchLogs(
      {
        stream: config.LOG_STREAM_NAME,
        partitions: config.LOG_STREAM_PARTITIONS,
        watchersMax: config.LOG_WATCHERS_MAX,
      },
      { driver },
    ),
  })
  await lifecycle.start('grpc server', () =>
    startGrpcServer(
      { port: config.GRPC_PORT, host: config.GRPC_HOST, setting: 'GRPC_PORT', descriptorSet: descriptorSet() },
      { services: [service], logger, metrics: grpcMetrics, tracer },
    ),
  )
}

/** The part that every source hands its records to. */
interface Intake {
  readonly acceptLogs: AcceptLogs
  /** @throws when no lines can be taken now */
  readonly checkIntake: () => void
}

async function startIntake(
  { config, lifecycle, database, driver, cacheRedis, metrics }: Parts,
  { masker, rules }: Transforming,
): Promise<Intake> {
  const { logger } = lifecycle
  const spoolDirectory = join(config.MILLRACE_DATA_DIR, 'spool')
  const disks = new DiskWatch(
    {
      streamPath: config.STREAM_DISK_PATH,
      spoolPath: config.SPOOL_BYTES_MAX > 0 ? spoolDirectory : undefined,
      freeBytesMin: config.DISK_FREE_BYTES_MIN,
    },
    { logger, metrics: lifecycle.metrics },
  )
  await lifecycle.every('free space of disks', DISK_CHECK_MS, () => disks.poll())
  const producer = await lifecycle.start('stream producer', async () => {
    const opened = await openProducer(
      {
        stream: config.LOG_STREAM_NAME,
        partitions: config.LOG_STREAM_PARTITIONS,
        createBuilder: () => new LogFrameBuilder(),
        lingerMs: config.STREAM_LINGER_MS,
        lingerMsMax: config.STREAM_LINGER_MAX_MS,
        unacknowledgedBytesMax: config.STREAM_UNACKNOWLEDGED_BYTES_MAX,
        ...(config.SPOOL_BYTES_MAX > 0 && { spool: { directory: spoolDirectory, bytesMax: config.SPOOL_BYTES_MAX } }),
      },
      {
        driver,
        logger,
        metrics: new ProducerMetrics(lifecycle.metrics),
        resilienceMetrics: createResilienceMetrics(lifecycle.metrics),
        tracer: lifecycle.tracer,
        disks,
      },
    )
    // Half for the stream; what it has not taken by then needs the other half to be written to the spool.
    return [opened, (budgetMs = PRODUCER_CLOSE_MS) => opened.close(Math.min(PRODUCER_CLOSE_MS, budgetMs / 2))]
  })
  const checkIntake = () => {
    try {
      producer.check()
    } catch (error) {
      throw disks.explain(error)
    }
  }
  // A process that would refuse every line is not ready.
  lifecycle.ready('stream', checkIntake)
  const counts = await startLedger({ config, lifecycle, database, producer })
  const limiter = createRateLimiter(
    {
      bucket: 'logs',
      ratePerSecond: config.LOG_RATE_LIMIT_LINES_PER_SECOND,
      burst: config.LOG_RATE_LIMIT_BURST_LINES,
    },
    { redis: cacheRedis, logger, metrics: lifecycle.metrics },
  )
  const acceptLogs = createAcceptLogs({ producer, limiter, masker, rules, counts, metrics, now: Date.now })
  return { acceptLogs, checkIntake }
}

/** Started after the producer and so stopped before it: frames that the producer writes while it closes carry their own counts. */
async function startLedger({
  config,
  lifecycle,
  database,
  producer,
}: Pick<Parts, 'config' | 'lifecycle' | 'database'> & {
  readonly producer: Producer<LogFrameBuilder>
}): Promise<ProducedCounts> {
  const counts = new ProducedCounts()
  const isSpoolEmpty = () => producer.counts().spoolFrames === 0
  const source = { stream: config.LOG_STREAM_NAME, producerId: producer.id, counts, isSpoolEmpty }
  const flush = createFlushProduced(source, { database })
  await lifecycle.every('ledger counts', FLUSH_MS, flush, { runsAtStart: false, runsAtEnd: true })
  return counts
}

async function startVerifier({ config, lifecycle, database, cacheRedis }: Parts): Promise<KeyVerifier> {
  const { logger } = lifecycle
  return await lifecycle.start('key verifier', () => {
    const limits = { positiveTtlMs: config.KEY_CACHE_MS, outageGraceMs: config.KEY_GRACE_MINUTES * MINUTE_MS }
    const keys = createKeyVerifier(limits, { database, redis: cacheRedis, logger, metrics: lifecycle.metrics })
    return [keys, () => keys.close()]
  })
}

async function startHttp(
  { config, lifecycle, metrics }: Parts,
  { acceptLogs, checkIntake, verifier }: Intake & { readonly verifier: KeyVerifier },
): Promise<void> {
  const { logger, tracer } = lifecycle
  const securityHeaders = await createSecurityHeaders()
  // Web pages send their lines to the gateway, which has the setting for their origins.
  const responses = new ResponseWriter(new Cors({ origins: [] }), securityHeaders)
  const routes = createLogRoutes(
    HTTP_SOURCES,
    { bodyBytesMax: config.LOG_BODY_BYTES_MAX },
    { acceptLogs, checkIntake, now: Date.now },
  )
  const handleLogs = createIntake(routes, {
    verifier,
    responses,
    metrics: createHttpMetrics(lifecycle.metrics),
    tracer,
    logger,
    onRefused: (_request, { code }) => metrics.noteRefused(code),
  })
  await lifecycle.start('http server', () =>
    startHttpServer(
      {
        handler: (req, res) => {
          if (!handleLogs(req, res)) responses.problem(req, res, coreErrors.ROUTE_NOT_FOUND())
        },
        port: config.HTTP_PORT,
        host: config.HTTP_HOST,
        setting: 'HTTP_PORT',
        headersTimeoutMs: config.HTTP_HEADERS_TIMEOUT_MS,
        requestTimeoutMs: config.HTTP_REQUEST_TIMEOUT_MS,
        overdueCheckMs: OVERDUE_CHECK_MS,
        connectionsMax: config.HTTP_CONNECTIONS_MAX,
      },
      { logger, metrics: lifecycle.metrics, headers: () => [...securityHeaders] },
    ),
  )
}
