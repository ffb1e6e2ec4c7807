import { type Logger, silentLogger } from '@millrace/logger'
import { AnswerWatch, PROBE_LIMIT_MS } from '@millrace/resilience'
import { createPostgresMetrics } from '@millrace/telemetry'
import pg from 'pg'
import { type Connection, openConnection } from './connection.js'
import { clientConfig, type DatabaseConfig, type DatabaseDeps } from './database-config.js'
import { chooseRepeatDetector } from './detect-repeats.js'
import { type Drizzle, drizzleOn } from './drizzle-on.js'
import { databaseErrors } from './errors.js'
import { createObserveRuns } from './observe-runs.js'
import { readPlan } from './plan/read-plan.js'
import { PooledDatabase, type PoolReader } from './pooled-database.js'
import { probeServer } from './probe-server.js'
import type { SessionDeps } from './session.js'
import { PlanReader } from './slow/plan-reader.js'
import { SlowQueryLog } from './slow/slow-query-log.js'
import { createTraceRuns } from './trace-runs.js'

/** Connections by state. `waiting` counts callers without one. */
export interface PoolState {
  readonly used: number
  readonly idle: number
  readonly waiting: number
  readonly max: number
}

/** Settings of one dedicated connection that differ from those of the pool. */
export interface ConnectionOptions {
  readonly applicationName?: string | undefined
  readonly statementTimeoutMs?: number | undefined
}

/** A PostgreSQL database: a pool for short statements, and dedicated connections for long-lived writers. */
export interface Database extends PoolReader {
  /** For reads that may lag behind: the replica's pool, or the primary's pool when no replica is configured. */
  readonly replica: PoolReader
  /** A connection outside the pool. @throws databaseErrors.DATABASE_UNAVAILABLE */
  connection(options?: ConnectionOptions): Promise<Connection>
  /** Typed queries, run as `query` runs them. For a transaction see `drizzleOn`. */
  readonly drizzle: Drizzle
  /** The connections of the primary's pool. */
  pool(): PoolState
  /** Time of one round trip, in ms. */
  ping(): Promise<number>
  /**
   * Waits for running statements, for at most `limitMs` (default 5,000); then their connections are ended. Dedicated connections are not closed: that is
   * up to their openers.
   */
  close(limitMs?: number): Promise<void>
}

/** Connects at first use, so it succeeds while the server is down. */
export function openDatabase(config: DatabaseConfig, deps: DatabaseDeps = {}): Database {
  const primary = createPool(config, config.url, deps)
  const secondary = config.replicaUrl ? createPool(config, config.replicaUrl, deps) : undefined
  const metrics =
    deps.metrics &&
    createPostgresMetrics(deps.metrics, {
      pool: (gauge) => {
        setPoolGauge(gauge, 'primary', poolState(primary))
        if (secondary) setPoolGauge(gauge, 'replica', poolState(secondary))
      },
      up: (gauge) => {
        for (const [pool, { isUp }] of watches) gauge.with({ pool }).set(isUp ? 1 : 0)
      },
    })
  const watches = new Map<string, AnswerWatch>()
  const planReaders: PlanReader[] = []
  const sessionDeps = (pool: string, url: string): SessionDeps => ({
    watch: keepIn(watches, pool, createServerWatch(config, { pool, url }, deps.logger)),
    observe: createObserveRuns(
      { slowQueryMs: config.slowQueryMs ?? 100 },
      { metrics, slowQueryLog: createSlowQueryLog(config, { url, logger: deps.logger, planReaders }) },
    ),
    trace: deps.tracer && createTraceRuns(deps.tracer),
    detectRepeats: chooseRepeatDetector(config.environment, deps.logger ?? silentLogger),
  })
  const retry = { attempts: config.retryAttempts ?? 3 }
  const primaryDeps = sessionDeps('primary', config.url)
  const poolDeps = (pool: string) => ({ logger: deps.logger, wait: metrics?.poolWait.with({ pool }) })
  const pooled = new PooledDatabase(primary, retry, { ...primaryDeps, ...poolDeps('primary') })
  const replica =
    secondary && config.replicaUrl
      ? new PooledDatabase(secondary, retry, { ...sessionDeps('replica', config.replicaUrl), ...poolDeps('replica') })
      : pooled
  return {
    query: (statement, values) => pooled.query(statement, values),
    transaction: (fn, options) => pooled.transaction(fn, options),
    withTenant: (tenantId, fn, options) => pooled.withTenant(tenantId, fn, options),
    replica,
    connection: (options = {}) => openConnection(clientConfig({ ...config, ...options }), primaryDeps),
    drizzle: drizzleOn(pooled),
    pool: () => poolState(primary),
    ping: async () => {
      const startedAt = performance.now()
      await pooled.query('select')
      return performance.now() - startedAt
    },
    close: async (limitMs = CLOSE_LIMIT_MS) => {
      const closing = Promise.all([primary.end(), secondary?.end(), ...planReaders.map((reader) => reader.close())])
      await within(limitMs, closing)
      const error = databaseErrors.DATABASE_UNAVAILABLE({ message: 'the database was closed' })
      for (const watch of watches.values()) {
        watch.loseAll(error)
        watch.close()
      }
    },
  }
}

/** A server that does not answer must not hold up a shutdown. */
const CLOSE_LIMIT_MS = 5_000

function createServerWatch(
  config: DatabaseConfig,
  { pool, url }: { pool: string; url: string },
  logger: Logger | undefined,
): AnswerWatch {
  const client = clientConfig(config, url)
  const limitMs = Math.min(config.timeoutMs ?? PROBE_LIMIT_MS, PROBE_LIMIT_MS)
  return new AnswerWatch(
    { name: pool === 'primary' ? 'PostgreSQL (DATABASE_URL)' : 'PostgreSQL replica (DATABASE_REPLICA_URL)' },
    {
      probe: () => probeServer(client, limitMs),
      outage: (cause) => databaseErrors.DATABASE_UNAVAILABLE({ message: 'PostgreSQL does not answer', cause }),
      logger: logger ?? silentLogger,
    },
  )
}

function keepIn<T>(all: Map<string, T>, name: string, value: T): T {
  all.set(name, value)
  return value
}

/** Resolves when `work` has ended, or after `limitMs`. */
async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}

/** Undefined without a logger. Statements of a replica are explained by the replica. */
function createSlowQueryLog(
  config: DatabaseConfig,
  { url, logger, planReaders }: { url: string; logger: Logger | undefined; planReaders: PlanReader[] },
): SlowQueryLog | undefined {
  if (logger === undefined) return undefined
  const now = () => performance.now()
  if (config.explainSlowQueries === false) return new SlowQueryLog({ logger, now })
  const client = clientConfig(config, url)
  const reader = new PlanReader({ readPlan: (statement, setting) => readPlan(client, statement, setting), now })
  planReaders.push(reader)
  return new SlowQueryLog({ logger, plan: (run) => reader.plan(run), now })
}

function createPool(config: DatabaseConfig, url: string, deps: DatabaseDeps): pg.Pool {
  const logger = deps.logger ?? silentLogger
  const pool = new pg.Pool({
    ...clientConfig(config, url),
    max: config.connectionLimit ?? 10,
    idleTimeoutMillis: 30_000,
    // One connection keeps its generic plans: the first query for one user takes ten times as long on a new connection.
    min: 1,
  })
  // Without these two listeners a connection that the server ends would end the process: the first is for idle connections, the second for those in use.
  pool.on('error', (error) => logger.warn('idle database connection lost', { error: error.message }))
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

function poolState(pool: pg.Pool): PoolState {
  return {
    used: pool.totalCount - pool.idleCount,
    idle: pool.idleCount,
    waiting: pool.waitingCount,
    max: pool.options.max,
  }
}

function setPoolGauge(gauge: PoolGauge, pool: string, state: PoolState): void {
  for (const [name, value] of Object.entries(state)) gauge.with({ pool, state: name }).set(value)
}

type PoolGauge = ReturnType<typeof createPostgresMetrics>['pool']
