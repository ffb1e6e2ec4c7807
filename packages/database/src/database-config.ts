import type { Logger } from '@millrace/logger'
import type { Metrics, Tracer } from '@millrace/telemetry'
import pg from 'pg'
import type { Environment } from './detect-repeats.js'

/** Settings of `openDatabase`; only the address is required. */
export interface DatabaseConfig {
  /** postgres://user:password@host:port/name?sslmode=verify-full */
  readonly url: string
  /** Server for reads through `replica`. Default: the primary. */
  readonly replicaUrl?: string | undefined
  /** Maximum connections of the pool, and of the replica's pool. Default 10. Dedicated connections come on top. */
  readonly connectionLimit?: number | undefined
  /** How long a caller waits for a connection, in ms. Default 5000. */
  readonly timeoutMs?: number | undefined
  /** Maximum attempts after transient failures, the first one included. Default 3, with 100 and 200 ms between them; 1 never retries. */
  readonly retryAttempts?: number | undefined
  /** Shown in pg_stat_activity. Default millrace. */
  readonly applicationName?: string | undefined
  /** The server ends a statement after this time, in ms; the client stops waiting 5 s later. 0 = never. Default 30,000. */
  readonly statementTimeoutMs?: number | undefined
  /** How long a statement may wait for a lock, in ms. 0, the default, has no limit. */
  readonly lockTimeoutMs?: number | undefined
  /** Round trips that take longer are logged, in ms. Default 100. */
  readonly slowQueryMs?: number | undefined
  /** Whether slow queries are logged with their plan: at most every 10 minutes for one statement, and one plan a second in all. Default true. */
  readonly explainSlowQueries?: boolean | undefined
  /** What happens to a statement that one request repeats: development logs it, test fails it, production and the default do nothing. */
  readonly environment?: Environment | undefined
}

/** What `openDatabase` reports to; without a logger slow queries are not logged. */
export interface DatabaseDeps {
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** Makes a span for each round trip inside another span. Default: none. */
  readonly tracer?: Tracer | undefined
}

/** How long the client waits after the statement timeout for the server to end the statement. */
const CLIENT_GRACE_MS = 5_000

/** After this time without traffic the operating system asks whether the server is still there. */
const KEEP_ALIVE_MS = 10_000

/** Settings of one connection. */
export function clientConfig(config: DatabaseConfig, url = config.url): pg.ClientConfig {
  const statementTimeoutMs = config.statementTimeoutMs ?? 30_000
  return {
    connectionString: url,
    application_name: config.applicationName ?? 'millrace',
    connectionTimeoutMillis: config.timeoutMs ?? 5_000,
    keepAlive: true,
    // The default leaves it to the operating system, which first asks after two hours.
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    types: clientTypes(),
    ...(statementTimeoutMs > 0 && {
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + CLIENT_GRACE_MS,
    }),
    ...(config.lockTimeoutMs && { lock_timeout: config.lockTimeoutMs }),
  }
}

const OID = { int8: 20, date: 1082, int8Array: 1016 } as const

/** int8 becomes bigint, because user hashes and positions do not fit a number; date stays text, because a Date would shift it to local time. */
function clientTypes(): pg.CustomTypesConfig {
  const types = new pg.TypeOverrides()
  types.setTypeParser(OID.int8, BigInt)
  types.setTypeParser(OID.date, String)
  types.setTypeParser(OID.int8Array, (text: string) =>
    text === '{}'
      ? []
      : text
          .slice(1, -1)
          .split(',')
          .map((item) => (item === 'NULL' ? null : BigInt(item))),
  )
  return types as unknown as pg.CustomTypesConfig
}
