import { silentLogger } from '@millrace/logger'
import { createPostgresMetrics } from '@millrace/telemetry'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { type Connection, openConnection } from './connection.js'
import { clientConfig, type DatabaseConfig, type DatabaseDeps } from './database-config.js'
import { createObserveRuns } from './observe-runs.js'
import { Pooled, type PoolReader } from './pooled.js'
import * as schema from './schema/tables.js'
import { isCopy, type Statement, type Step } from './statement.js'
import { createTraceRuns } from './trace-runs.js'

/** Connections by state. `waiting` counts callers without one. */
export interface PoolState {
  readonly used: number
  readonly idle: number
  readonly waiting: number
  readonly max: number
}

export interface ConnectionOptions {
  readonly applicationName?: string | undefined
  readonly statementTimeoutMs?: number | undefined
}

/** A PostgreSQL database: a pool for short statements, dedicated connections for long-lived writers. */
export interface Database extends PoolReader {
  /** Reads that may lag behind: the replica's pool, or the primary's where none is configured. */
  readonly replica: PoolReader
  /** A connection outside the pool. @throws databaseErrors.DATABASE_UNAVAILABLE */
  connection(options?: ConnectionOptions): Promise<Connection>
  /** Typed queries where it is not hot. Its errors are pg's: `toDatabaseError` maps them. */
  readonly drizzle: NodePgDatabase<typeof schema>
  /** The plan the server would choose, as text. The statement is not run. */
  explain(statement: Statement): Promise<string>
  pool(): PoolState
  /** Time of one round trip, in ms. */
  ping(): Promise<number>
  /** Waits for what is running. Dedicated connections are closed by those who opened them. */
  close(): Promise<void>
}

/** Between two plans taken for the slow query log. */
const EXPLAIN_INTERVAL_MS = 60_000

/** Connects when first used, so it succeeds while the server is down. */
export function openDatabase(config: DatabaseConfig, deps: DatabaseDeps = {}): Database {
  const primary = createPool(config, config.url, deps)
  const secondary = config.replicaUrl ? createPool(config, config.replicaUrl, deps) : undefined
  const metrics =
    deps.metrics &&
    createPostgresMetrics(deps.metrics, (gauge) => {
      setPoolGauge(gauge, 'primary', poolState(primary))
      if (secondary) setPoolGauge(gauge, 'replica', poolState(secondary))
    })
  const explain = async (statement: Statement) => {
    const plan = await primary.query<Record<'QUERY PLAN', string>>({
      text: `explain ${statement.text}`,
      values: [...(statement.values ?? [])],
    })
    return plan.rows.map((row) => row['QUERY PLAN']).join('\n')
  }
  const observe = createObserveRuns(
    { slowQueryMs: config.slowQueryMs ?? 100 },
    { logger: deps.logger, metrics, explain: config.explainSlowQueries ? createExplainSlow(explain) : undefined },
  )
  const retry = { attempts: config.retryAttempts ?? 3 }
  const sessionDeps = { observe, trace: deps.tracer && createTraceRuns(deps.tracer) }
  const pooledDeps = { ...sessionDeps, logger: deps.logger }
  const pooled = new Pooled(primary, retry, pooledDeps)
  return {
    query: (statement, values) => pooled.query(statement, values),
    transaction: (fn, options) => pooled.transaction(fn, options),
    withTenant: (tenantId, fn, options) => pooled.withTenant(tenantId, fn, options),
    replica: secondary ? new Pooled(secondary, retry, pooledDeps) : pooled,
    connection: (options = {}) => openConnection(clientConfig({ ...config, ...options }), sessionDeps),
    drizzle: drizzle(primary, { schema }),
    explain,
    pool: () => poolState(primary),
    ping: async () => {
      const startedAt = performance.now()
      await pooled.query('select')
      return performance.now() - startedAt
    },
    close: async () => {
      await Promise.all([primary.end(), secondary?.end()])
    },
  }
}

function createPool(config: DatabaseConfig, url: string, deps: DatabaseDeps): pg.Pool {
  const logger = deps.logger ?? silentLogger
  const pool = new pg.Pool({
    ...clientConfig(config, url),
    max: config.connectionLimit ?? 10,
    idleTimeoutMillis: 30_000,
  })
  // Without these two listeners a connection that the server ends takes the process with it: the pool's for idle ones, the client's for those in use.
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

/** Only for select, because EXPLAIN of anything else needs locks of its own. */
function createExplainSlow(
  explain: (statement: Statement) => Promise<string>,
): (step: Step) => Promise<string | undefined> {
  let lastAt = Number.NEGATIVE_INFINITY
  return async (step) => {
    if (isCopy(step) || !/^\s*select\b/i.test(step.text) || performance.now() - lastAt < EXPLAIN_INTERVAL_MS)
      return undefined
    lastAt = performance.now()
    return await explain(step)
  }
}
