import { KeyManager } from '@millrace/auth'
import { AnalyticsServiceClient, descriptorSet, HealthServiceService, MINUTE_MS } from '@millrace/contracts'
import { type Database, readIndexBloat, readPageCounts, readTableBloat, startDatabase } from '@millrace/database'
import { openArchive } from '@millrace/object-store'
import { namedRedis, openRedis, type RedisConnection, requireUsableRedis } from '@millrace/redis'
import { agreeOnSettings, createGrpcClient, implementService, type Lifecycle, startGrpcServer } from '@millrace/service'
import { openStreamDriver, type StreamDriver } from '@millrace/streams'
import { createGrpcMetrics, createRedisMetrics, type GrpcMetrics } from '@millrace/telemetry'
import { createArchive } from './checks/archive-check.js'
import { CachedCheck } from './checks/cached-check.js'
import { createDatabaseCheck } from './checks/database-check.js'
import type { HealthCheck } from './checks/health-check.js'
import { createKafkaCheck } from './checks/kafka-check.js'
import { createMirrorCheck } from './checks/mirror-check.js'
import { createQueuesCheck } from './checks/queues-check.js'
import { createRedisCheck } from './checks/redis-check.js'
import { createServiceCheck, parseServiceAddresses } from './checks/service-check.js'
import { createSettingsCheck } from './checks/settings-check.js'
import { createReadSystem } from './checks/system-info.js'
import type { Config } from './config.js'
import { DatabaseWatch } from './database/database-watch.js'
import { LedgerWatch } from './ledger/ledger-watch.js'
import { readLedger } from './ledger/read-ledger.js'
import { HealthMetrics } from './metrics.js'
import { createProbe } from './probe/probe.js'
import { createProbeKeys } from './probe/probe-keys.js'
import { ProbeState } from './probe/probe-state.js'
import { createProbeTarget } from './probe/probe-target.js'
import { createReadMirror, createReadRetention } from './queues/mirror-state.js'
import { createQueues, type Queues } from './queues/queue-state.js'
import { createHealthReporter } from './report/health-reporter.js'
import { createGetHealth } from './rpc/get-health.js'
import { createGetLedger } from './rpc/get-ledger.js'

const VERSION = '0.1.0'
const CHECKPOINT_MAX_MS = MINUTE_MS
const DATABASE_WATCH_MS = MINUTE_MS
const REPORT_MS = 5000
/** A check of the archive costs three requests to S3. */
const ARCHIVE_CHECK_MS = 30_000
const now = () => Date.now()

/** What several parts need. */
interface Parts {
  readonly config: Config
  readonly lifecycle: Lifecycle
  readonly database: Database
  /** The Redis of the stream, or that of the cache when the stream is on Kafka. Undefined when no setting names one. */
  readonly redis: RedisConnection | undefined
  readonly metrics: HealthMetrics
  readonly grpcMetrics: GrpcMetrics
}

/** The composition root. The service also starts and answers while PostgreSQL and Redis are down. */
export async function run(config: Config, lifecycle: Lifecycle): Promise<void> {
  const addresses = parseServiceAddresses(config.ADMIN_URLS)
  const database = await lifecycle.start('database', () =>
    startDatabase(config, lifecycle, { statementTimeoutMs: 5000 }),
  )
  await agreeOnSettings(config, lifecycle, database)
  const redis = await startRedis(config, lifecycle)
  const parts: Parts = {
    config,
    lifecycle,
    database,
    redis,
    metrics: new HealthMetrics(lifecycle.metrics),
    grpcMetrics: createGrpcMetrics(lifecycle.metrics),
  }
  await startDatabaseWatch(parts)
  const { driver, queues, watch } = await startLedger(parts)
  const logWatch = await startLogLedger(parts, driver)
  const probeState = await startProbe(parts)
  const archiveCheck = await startArchive(parts)
  const reportHealth = createHealthReporter({
    checks: [...createChecks(parts, { driver, queues, watch, addresses }), archiveCheck],
    readSystem: createReadSystem(config.MILLRACE_DATA_DIR),
    synthetic: () => probeState.describe(),
    noteReport: (status, services) => parts.metrics.noteReport(status, services),
    now,
    version: VERSION,
  })
  // Keeps the metrics up to date while nobody calls GetHealth.
  await lifecycle.every('health report', REPORT_MS, () => reportHealth('summary'))
  const health = implementService(HealthServiceService, {
    getLedger: createGetLedger(
      [
        { stream: config.STREAM_NAME, lost: () => watch.lost },
        { stream: config.LOG_STREAM_NAME, lost: () => logWatch.lost },
      ],
      { database },
    ),
    getHealth: createGetHealth({ reportHealth }),
  })
  await lifecycle.start('grpc server', () =>
    startGrpcServer(
      { host: config.GRPC_HOST, port: config.GRPC_PORT, setting: 'GRPC_PORT', descriptorSet: descriptorSet() },
      { services: [health], logger: lifecycle.logger, metrics: parts.grpcMetrics, tracer: lifecycle.tracer },
    ),
  )
}

async function startRedis(config: Config, lifecycle: Lifecycle): Promise<RedisConnection | undefined> {
  const { logger, metrics } = lifecycle
  const { stream, cache } = namedRedis(config)
  const server = stream ?? cache
  if (server === undefined) return undefined
  return await lifecycle.start('redis connection', async () => {
    await requireUsableRedis(server.config, server.setting, logger)
    const opened = await openRedis(
      { ...server.config, name: 'health', commandTimeoutMs: config.HEALTH_CHECK_TIMEOUT_MS, isLazy: true },
      { logger, metrics: createRedisMetrics(metrics) },
    )
    return [opened, () => opened.close()]
  })
}

/** The check of the archive. A failure makes the part degraded and not unhealthy: what is not archived yet waits in PostgreSQL. */
async function startArchive({ config, lifecycle, database }: Parts): Promise<CachedCheck> {
  const archive = await lifecycle.start('archive', () => {
    const created = createArchive(() => openArchive(config), { database, stream: config.LOG_STREAM_NAME })
    return [created, () => created.close()]
  })
  const timeoutMs = config.HEALTH_CHECK_TIMEOUT_MS
  const cacheMs = Math.max(ARCHIVE_CHECK_MS, config.HEALTH_CACHE_MS)
  return new CachedCheck(archive.check, { cacheMs, timeoutMs, failedStatus: 'degraded' }, now)
}

async function startDatabaseWatch({ lifecycle, database, metrics }: Parts): Promise<void> {
  const watch = new DatabaseWatch({
    readPageCounts: () => readPageCounts(database),
    readTableBloat: () => readTableBloat(database),
    readIndexBloat: () => readIndexBloat(database),
    metrics,
  })
  await lifecycle.every('database statistics', DATABASE_WATCH_MS, () => watch.step())
}

async function startLedger({
  config,
  lifecycle,
  database,
  redis,
  metrics,
}: Parts): Promise<{ driver: StreamDriver; queues: Queues; watch: LedgerWatch }> {
  const { logger } = lifecycle
  const scope = { stream: config.STREAM_NAME, group: config.STREAM_GROUP, partitions: config.STREAM_PARTITIONS }
  const driver = await lifecycle.start('stream driver', async () => {
    const opened = await openStreamDriver(config, {
      redis: config.STREAM_DRIVER === 'redis' ? redis : undefined,
      logger,
    })
    return [opened, () => opened.close()]
  })
  const queues = createQueues(scope, { database, driver })
  const watch = new LedgerWatch(
    { lostAfterMs: config.LEDGER_LOST_AFTER_MS, checkpointMaxMs: CHECKPOINT_MAX_MS },
    {
      readLedger: () => readLedger(database, scope),
      readEnds: queues.readEnds,
      comparePositions: (a, b) => driver.comparePositions(a, b),
      now,
      logger,
    },
  )
  await lifecycle.every('ledger comparison', config.LEDGER_INTERVAL_MS, async () => {
    // A comparison that fails changes nothing but the age of the last one, which is a metric too.
    await watch.step().finally(() => metrics.noteLedger(watch.state))
  })
  return { driver, queues, watch }
}

/** The comparison of the ledger of log lines; health and metrics show that of the events. */
async function startLogLedger({ config, lifecycle, database }: Parts, driver: StreamDriver): Promise<LedgerWatch> {
  const scope = {
    stream: config.LOG_STREAM_NAME,
    group: config.LOG_STREAM_GROUP,
    partitions: config.LOG_STREAM_PARTITIONS,
  }
  const watch = new LedgerWatch(
    { lostAfterMs: config.LEDGER_LOST_AFTER_MS, checkpointMaxMs: CHECKPOINT_MAX_MS },
    {
      readLedger: () => readLedger(database, scope),
      readEnds: createQueues(scope, { database, driver }).readEnds,
      comparePositions: (a, b) => driver.comparePositions(a, b),
      now,
      logger: lifecycle.logger,
    },
  )
  await lifecycle.every('ledger comparison of log lines', config.LEDGER_INTERVAL_MS, () => watch.step())
  return watch
}

async function startProbe({ config, lifecycle, database, metrics, grpcMetrics }: Parts): Promise<ProbeState> {
  const { logger, tracer } = lifecycle
  const intervalMs = config.SYNTHETIC_INTERVAL_SECONDS * 1000
  const state = new ProbeState({ intervalMs, timeoutMs: config.SYNTHETIC_TIMEOUT_MS }, now)
  if (intervalMs === 0) return state
  const analytics = await lifecycle.start('analytics-query client', () =>
    createGrpcClient(
      AnalyticsServiceClient,
      config.ANALYTICS_QUERY_ADDRESS,
      { deadlineMs: config.SYNTHETIC_TIMEOUT_MS, policy: { retry: false, circuitBreaker: false } },
      { metrics: grpcMetrics, tracer, logger },
    ),
  )
  const keys = createProbeKeys({ keys: new KeyManager({ database, logger, actor: 'service:health-aggregator' }), now })
  const target = createProbeTarget({ gatewayUrl: config.GATEWAY_URL.replace(/\/$/, '') }, { keys, analytics })
  const probe = createProbe({ timeoutMs: config.SYNTHETIC_TIMEOUT_MS }, target)
  await lifecycle.every('synthetic events', intervalMs, async (signal) => {
    const result = await probe(signal)
    if (signal.aborted) return
    state.note(result)
    metrics.noteProbe(result)
  })
  return state
}

function createChecks(
  { config, database, redis, metrics }: Parts,
  {
    driver,
    queues,
    watch,
    addresses,
  }: { driver: StreamDriver; queues: Queues; watch: LedgerWatch; addresses: ReturnType<typeof parseServiceAddresses> },
): CachedCheck[] {
  const timeoutMs = config.HEALTH_CHECK_TIMEOUT_MS
  const queuesCheck = createQueuesCheck(
    { stream: config.STREAM_NAME, lagMax: config.LAG_MAX },
    { readState: queues.readState, ledger: () => watch.state, noteState: (state) => metrics.noteQueues(state) },
  )
  const services = addresses.map((address) => createServiceCheck(address, timeoutMs))
  const settings = createSettingsCheck(database)
  const { describeCluster } = driver
  const kafkaChecks =
    describeCluster === undefined ? [] : [createKafkaCheck(() => describeCluster.call(driver, config.STREAM_NAME))]
  const redisChecks = redis === undefined ? [] : [createRedisCheck(redis)]
  const mirror = createMirrorChecks({ config, database, metrics })
  return [
    createDatabaseCheck(database),
    ...redisChecks,
    ...kafkaChecks,
    queuesCheck,
    ...mirror,
    settings,
    ...services,
  ].map((check) => new CachedCheck(check, { cacheMs: config.HEALTH_CACHE_MS, timeoutMs }, now))
}

/** The check of the mirror to Kafka, if there is one. */
function createMirrorChecks({
  config,
  database,
  metrics,
}: Pick<Parts, 'config' | 'database' | 'metrics'>): HealthCheck[] {
  const topic = config.KAFKA_MIRROR_TOPIC
  if (topic === undefined) return []
  const scope = { topic, group: config.STREAM_GROUP, stream: config.STREAM_NAME }
  const readMirror = createReadMirror(scope, { database })
  const readRetentionSeconds = createReadRetention(database)
  return [
    createMirrorCheck({ topic }, { readMirror, readRetentionSeconds, noteMirror: (lags) => metrics.noteMirror(lags) }),
  ]
}
