import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import {
  createKeyVerifier,
  createLimitChanges,
  createRateLimiter,
  KeyManager,
  type KeyVerifier,
  type RateLimiter,
  seedKeys,
} from '@millrace/auth'
import {
  AnalyticsServiceService,
  ConsumerServiceService,
  CURSOR_LENGTH_MAX,
  DAY_MS,
  HealthServiceService,
  HOUR_MS,
  LogServiceService,
  MINUTE_MS,
  RecordBatchBuilder,
  SECOND_MS,
} from '@millrace/contracts'
import { type Database, startDatabase } from '@millrace/database'
import { createCorsMiddleware, createIntake, ResponseWriter } from '@millrace/http-intake'
import { type RedisConnection, startRedis } from '@millrace/redis'
import { isRetryable } from '@millrace/resilience'
import { loadRollupDefinitions, parseRollupDefinitions, registerRollupDefinitions } from '@millrace/rollups'
import {
  agreeOnSettings,
  createHttpApp,
  createSecurityHeaders,
  type Lifecycle,
  startHttpServer,
} from '@millrace/service'
import {
  createFlushProduced,
  DiskWatch,
  openProducer,
  openStreamDriver,
  ProducedCounts,
  type Producer,
  ProducerMetrics,
} from '@millrace/streams'
import { createHttpMetrics, createResilienceMetrics, type ResilienceMetrics } from '@millrace/telemetry'
import { addApi } from './api/add-api.js'
import { createApiCors } from './api/api-cors.js'
import type { ApiDeps } from './api/api-deps.js'
import { createCheckKeyFirst } from './api/check-key-first.js'
import type { Config } from './config.js'
import { CurrentEventCatalog } from './events/current-event-catalog.js'
import { EventAcceptor } from './events/event-acceptor.js'
import { newMessageId } from './events/new-message-id.js'
import { RequestParser } from './events/request-parser.js'
import { createAwaitOutcome } from './http/await-outcome.js'
import { clientMetricsRoute } from './http/client-metrics-route.js'
import { createEventRoutes } from './http/event-routes.js'
import { createReadRequestClient } from './http/request-client.js'
import { LiveTickets } from './live/live-tickets.js'
import { createLogPipe } from './logs/log-pipe.js'
import { IngestMetrics } from './metrics.js'
import { startPeers } from './peers.js'
import { createOnRefused } from './rejections/note-rejections.js'
import { RejectedEvent } from './rejections/rejected-event.js'
import { startRejections } from './rejections/start-rejections.js'
import { createWires } from './wires/wires.js'

const FLUSH_MS = 1000
const REFRESH_MS = 10_000
/** A changed rate limit takes effect within a second; half of it is left for the statement and a busy machine. */
const LIMIT_CHANGES_MS = 500
const PRODUCER_CLOSE_MS = 5000
/** All statements of this service are short. */
const STATEMENT_MS = 10_000
const START_RETRY_MS = 500
const OVERDUE_CHECK_MS = 1000
const DISK_CHECK_MS = 1000

/** The composition root: the only file that knows every concrete part. Parts stop in reverse order: the HTTP server first, the database last. */
export async function run(config: Config, lifecycle: Lifecycle): Promise<void> {
  tuneCollector()
  const { logger, metrics, tracer } = lifecycle
  const database = await lifecycle.start('database', () =>
    startDatabase(config, lifecycle, { statementTimeoutMs: STATEMENT_MS }),
  )
  const { streamRedis, cacheRedis } = await startRedis(config, lifecycle)
  await agreeOnSettings(config, lifecycle, database)
  await seedFirstKeys(config, lifecycle, database)
  const catalog = await startEventCatalog(config, lifecycle, database)
  const resilienceMetrics = createResilienceMetrics(metrics)
  const ingestMetrics = new IngestMetrics(metrics)
  const disks = await startDiskWatch(config, lifecycle)
  const producer = await startProducer(config, lifecycle, { redis: streamRedis, resilienceMetrics, disks })
  const counts = await startLedger(config, lifecycle, { database, producer })
  const verifier = await lifecycle.start('key verifier', () => {
    const limits = { positiveTtlMs: config.KEY_CACHE_MS, outageGraceMs: config.KEY_GRACE_MINUTES * MINUTE_MS }
    const keys = createKeyVerifier(limits, { database, redis: cacheRedis, logger, metrics })
    return [keys, () => keys.close()]
  })
  const limiter = createRateLimiter(
    { ratePerSecond: config.RATE_LIMIT_EVENTS_PER_SECOND, burst: config.RATE_LIMIT_BURST_EVENTS },
    { redis: cacheRedis, logger, metrics },
  )
  await followLimitChanges(lifecycle, { database, verifier, limiter })
  const { rejections, recorder } = await startRejections(config, lifecycle, cacheRedis)
  const peers = await startPeers(
    {
      consumer: { name: 'stream-consumer', address: config.STREAM_CONSUMER_ADDRESS, service: ConsumerServiceService },
      analytics: {
        name: 'analytics-query',
        address: config.ANALYTICS_QUERY_ADDRESS,
        service: AnalyticsServiceService,
        deadlineMs: config.QUERY_DEADLINE_MS,
      },
      logs: {
        name: 'log-shipper',
        address: config.LOG_SHIPPER_ADDRESS,
        service: LogServiceService,
        deadlineMs: config.QUERY_DEADLINE_MS,
      },
      health: { name: 'health-aggregator', address: config.HEALTH_AGGREGATOR_ADDRESS, service: HealthServiceService },
    },
    { lifecycle, resilienceMetrics },
  )
  const apiDeps: ApiDeps = {
    ...peers,
    keys: new KeyManager({ database, redis: cacheRedis, logger, actor: 'service:ingest-gateway' }),
    rejections,
    tickets: new LiveTickets(
      { lifetimeMs: config.LIVE_TICKET_SECONDS * SECOND_MS },
      { redis: cacheRedis, now: Date.now },
    ),
    limiter,
    identify: async (req) => verifier.verify(req.headers.authorization),
    identifyKey: async (key) => verifier.verifyKey(key),
    logger,
    stopping: lifecycle.stopping,
  }
  const cors = createApiCors(config.CORS_ORIGINS)
  const httpMetrics = createHttpMetrics(metrics)
  const app = await createHttpApp(
    { trustProxy: config.HTTP_TRUST_PROXY },
    {
      logger,
      metrics: httpMetrics,
      tracer,
      before: createCorsMiddleware(cors),
      beforeBody: createCheckKeyFirst(apiDeps),
      routes: (express) => addApi(express, apiDeps, config),
    },
  )
  const limits = toEventLimits(config)
  const parser = new RequestParser(limits, { catalog: () => catalog.get() })
  const wires = createWires({
    segmentBytesMax: config.SEGMENT_BODY_BYTES_MAX,
    eventsBytesMax: config.EVENTS_BODY_BYTES_MAX,
  })
  const eventRoutes = createEventRoutes(wires, {
    parser,
    acceptor: new EventAcceptor(limits, { parser, producer, now: Date.now, newMessageId }),
    producerId: producer.id,
    limiter,
    counts,
    awaitOutcome: createAwaitOutcome({ waitMs: config.WAIT_STORED_MS }, { consumer: peers.consumer, logger }),
    metrics: ingestMetrics,
    rejections: recorder,
    rejectedEvent: new RejectedEvent(parser),
    readRequestClient: createReadRequestClient({
      clientContext: config.EVENTS_CLIENT_CONTEXT,
      trustsProxy: config.HTTP_TRUST_PROXY,
      truncatesIp: config.EVENTS_TRUNCATE_IP,
    }),
    tracer,
  })
  const securityHeaders = await createSecurityHeaders()
  const responses = new ResponseWriter(cors, securityHeaders)
  const handleEvents = createIntake([...eventRoutes, clientMetricsRoute], {
    verifier,
    responses,
    metrics: httpMetrics,
    tracer,
    logger,
    onRefused: createOnRefused({ recorder, verifier, metrics: ingestMetrics, wires }),
  })
  const headers = (origin: string | undefined) => {
    const all = [...securityHeaders]
    cors.append(all, origin)
    return all
  }
  const pipeLogs = await lifecycle.start('pipe to log-shipper', () => {
    const pipe = createLogPipe(
      { url: config.LOG_SHIPPER_URL, timeoutMs: config.LOG_SHIPPER_TIMEOUT_MS },
      { responses, metrics: httpMetrics, logger },
    )
    return [pipe.handle, () => pipe.close()]
  })
  await lifecycle.start('http server', () =>
    startHttpServer(
      {
        handler: (req, res) => {
          if (!handleEvents(req, res) && !pipeLogs(req, res)) app(req, res)
        },
        port: config.HTTP_PORT,
        host: config.HTTP_HOST,
        setting: 'HTTP_PORT',
        // Room for a cursor is added, so that a request whose answer had a cursor can always be continued.
        headerBytesMax: config.HTTP_HEADER_BYTES_MAX + '&cursor='.length + CURSOR_LENGTH_MAX,
        headersTimeoutMs: config.HTTP_HEADERS_TIMEOUT_MS,
        requestTimeoutMs: config.HTTP_REQUEST_TIMEOUT_MS,
        overdueCheckMs: OVERDUE_CHECK_MS,
        connectionsMax: config.HTTP_CONNECTIONS_MAX,
      },
      { logger, metrics, headers },
    ),
  )
}

/**
 * V8 flags for the garbage collector, with the reason for each:
 * - heap-growing-percent: bodies and frames are allocated outside of V8's small heap but count towards its limit, by default about 1.3 times what
 *   survived the last full collection. That meant a full collection twice a second: a fifth of the gateway's time at 20,000 events/s and pauses
 *   of 40 ms on a busy machine. Now the limit is 5 times what survived.
 * - no-parallel-scavenge: a young collection takes one or two milliseconds, less than it takes to share it among threads on two busy cores.
 * - no-allocation-site-pretenuring: one process in six decided early that the objects of a request live long and allocated them in the old
 *   generation, which cost a fifth more CPU with single events. With this flag none of 20 did.
 */
function tuneCollector(): void {
  setFlagsFromString('--heap-growing-percent=400')
  setFlagsFromString('--no-parallel-scavenge')
  setFlagsFromString('--no-allocation-site-pretenuring')
}

async function startEventCatalog(
  config: Config,
  lifecycle: Lifecycle,
  database: Database,
): Promise<CurrentEventCatalog> {
  const definitions = parseRollupDefinitions(config.ROLLUPS)
  const load = () => loadRollupDefinitions(database)
  // Events accepted before the definitions are read would be missing from the rollups, so the gateway does not listen until then.
  const first = await untilAvailable(lifecycle, async () => {
    await registerRollupDefinitions(database, {
      definitions,
      stream: config.STREAM_NAME,
      aheadMaxMs: config.EVENTS_MAX_AHEAD_HOURS * HOUR_MS,
    })
    return load()
  })
  const current = new CurrentEventCatalog(first, { load, logger: lifecycle.logger })
  await lifecycle.every('rollup definitions', REFRESH_MS, () => current.refresh(), { runsAtStart: false })
  return current
}

async function followLimitChanges(
  lifecycle: Lifecycle,
  deps: { readonly database: Database; readonly verifier: KeyVerifier; readonly limiter: RateLimiter },
): Promise<void> {
  const readChanges = createLimitChanges({
    database: deps.database,
    changed: (tenantId, limits) => {
      deps.verifier.changeLimits(tenantId, limits)
      deps.limiter.change(tenantId, limits)
    },
  })
  // The first call says where to begin, so it must come before the first key is looked up.
  await untilAvailable(lifecycle, readChanges)
  await lifecycle.every('changed rate limits', LIMIT_CHANGES_MS, readChanges, { runsAtStart: false })
}

/** Creates the keys of the first start. Existing keys stay as they are, and revoked ones stay revoked. */
async function seedFirstKeys(config: Config, lifecycle: Lifecycle, database: Database): Promise<void> {
  const keys = {
    writeKey: config.BOOTSTRAP_WRITE_KEY?.reveal(),
    adminKey: config.BOOTSTRAP_ADMIN_KEY?.reveal(),
    isProduction: config.NODE_ENV === 'production',
  }
  if (keys.writeKey === undefined && keys.adminKey === undefined) return
  await untilAvailable(lifecycle, () => seedKeys(keys, { database, logger: lifecycle.logger }))
}

/** Retries until the database can be reached or the service stops. An error that is not retryable ends the start. */
async function untilAvailable<T>(lifecycle: Lifecycle, work: () => Promise<T>): Promise<T> {
  for (let isFirst = true; ; isFirst = false) {
    try {
      return await work()
    } catch (error) {
      if (!isRetryable(error) || lifecycle.stopping.aborted) throw error
      if (isFirst)
        lifecycle.logger.warn(
          'PostgreSQL (DATABASE_URL) cannot be reached or does not answer; the start waits for it',
          { error },
        )
      await setTimeout(START_RETRY_MS, undefined, { signal: lifecycle.stopping })
    }
  }
}

async function startDiskWatch(config: Config, lifecycle: Lifecycle): Promise<DiskWatch> {
  const watch = new DiskWatch(
    {
      streamPath: config.STREAM_DISK_PATH,
      spoolPath: config.SPOOL_BYTES_MAX > 0 ? spoolDirectory(config) : undefined,
      freeBytesMin: config.DISK_FREE_BYTES_MIN,
    },
    { logger: lifecycle.logger, metrics: lifecycle.metrics },
  )
  await lifecycle.every('free space of disks', DISK_CHECK_MS, () => watch.poll())
  return watch
}

function spoolDirectory(config: Config): string {
  return join(config.MILLRACE_DATA_DIR, 'spool')
}

function startProducer(
  config: Config,
  lifecycle: Lifecycle,
  deps: { redis: RedisConnection | undefined; resilienceMetrics: ResilienceMetrics; disks: DiskWatch },
): Promise<Producer<RecordBatchBuilder>> {
  const { redis, resilienceMetrics, disks } = deps
  return lifecycle.start('stream producer', async () => {
    const driver = await openStreamDriver(config, { redis, logger: lifecycle.logger })
    const producer = await openProducer(
      {
        stream: config.STREAM_NAME,
        partitions: config.STREAM_PARTITIONS,
        createBuilder: () => new RecordBatchBuilder(),
        lingerMs: config.STREAM_LINGER_MS,
        lingerMsMax: config.STREAM_LINGER_MAX_MS,
        unacknowledgedBytesMax: config.STREAM_UNACKNOWLEDGED_BYTES_MAX,
        ...(config.SPOOL_BYTES_MAX > 0 && {
          spool: { directory: spoolDirectory(config), bytesMax: config.SPOOL_BYTES_MAX },
        }),
      },
      {
        driver,
        logger: lifecycle.logger,
        metrics: new ProducerMetrics(lifecycle.metrics),
        resilienceMetrics,
        tracer: lifecycle.tracer,
        disks,
      },
    )
    // A gateway that would refuse every event is not ready, so that the load balancer stops sending requests to it.
    lifecycle.ready('stream', () => {
      try {
        producer.check()
      } catch (error) {
        throw disks.explain(error)
      }
    })
    return [
      producer,
      async (budgetMs = PRODUCER_CLOSE_MS) => {
        // Half for the stream; what it has not taken by then needs the other half to be written to the spool.
        await producer.close(Math.min(PRODUCER_CLOSE_MS, budgetMs / 2))
        await driver.close()
      },
    ]
  })
}

/** Started after the producer and so stopped before it: frames that the producer writes while it closes carry their own counts. */
async function startLedger(
  config: Config,
  lifecycle: Lifecycle,
  { database, producer }: { database: Database; producer: Producer<RecordBatchBuilder> },
): Promise<ProducedCounts> {
  const counts = new ProducedCounts()
  const isSpoolEmpty = () => producer.counts().spoolFrames === 0
  const source = { stream: config.STREAM_NAME, producerId: producer.id, counts, isSpoolEmpty }
  const flush = createFlushProduced(source, { database })
  await lifecycle.every('ledger counts', FLUSH_MS, flush, { runsAtStart: false, runsAtEnd: true })
  return counts
}

function toEventLimits(config: Config) {
  return {
    eventBytesMax: config.EVENT_BYTES_MAX,
    depthMax: config.EVENT_DEPTH_MAX,
    keysMax: config.EVENT_KEYS_MAX,
    ageMaxMs: config.EVENTS_MAX_AGE_DAYS * DAY_MS,
    aheadMaxMs: config.EVENTS_MAX_AHEAD_HOURS * HOUR_MS,
    clockErrorMaxMs: config.EVENTS_CLOCK_ERROR_MAX_HOURS * HOUR_MS,
    truncatesIp: config.EVENTS_TRUNCATE_IP,
    eventsMax: config.EVENTS_PER_REQUEST_MAX,
    inheritedBytesMax: config.EVENTS_BODY_BYTES_MAX,
  }
}
