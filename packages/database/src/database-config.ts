import type { Logger } from '@millrace/logger'
import type { Metrics, Tracer } from '@millrace/telemetry'
import pg from 'pg'
import type { Environment } from './detect-repeats.js'

export interface DatabaseConfig {
  /** postgres://user:password@host:port/name?sslmode=verify-full */
  readonly url: string
  /** For reads through `replica`. Default: the primary answers them. */
  readonly replicaUrl?: string | undefined
  /** Connections of the pool at most, of the replica's pool too. Default 10. Dedicated ones come on top. */
  readonly connectionLimit?: number | undefined
  /** How long to wait for a connection, in ms. Default 5000. */
  readonly timeoutMs?: number | undefined
  /** Calls in all where the failure is a passing one, the first included. Default 3, with 100 and 200 ms between; 1 never tries again. */
  readonly retryAttempts?: number | undefined
  /** Shown in pg_stat_activity. Default millrace. */
  readonly applicationName?: string | undefined
  /** The server ends longer statements; the client gives up 5 s later. 0 = never. Default 30,000. */
  readonly statementTimeoutMs?: number | undefined
  /** How long a statement may wait for a lock, in ms. 0 = for ever, the default. */
  readonly lockTimeoutMs?: number | undefined
  /** Round trips that take longer are logged. Default 100. */
  readonly slowQueryMs?: number | undefined
  /** Whether the log of a slow query carries its plan: of one statement at most every 10 minutes, of all at most one a second. Default true. */
  readonly explainSlowQueries?: boolean | undefined
  /** In development a statement that repeats in one request is warned of, in test it fails. Default: neither, as in production. */
  readonly environment?: Environment | undefined
}

export interface DatabaseDeps {
  readonly logger?: Logger | undefined
  readonly metrics?: Metrics | undefined
  /** For a span of every round trip that is made inside another span. Default: none. */
  readonly tracer?: Tracer | undefined
}

/** What the server may be late in ending a statement before the client stops waiting for it. */
const CLIENT_GRACE_MS = 5_000

/** Settings of one connection. */
export function clientConfig(config: DatabaseConfig, url = config.url): pg.ClientConfig {
  const statementTimeoutMs = config.statementTimeoutMs ?? 30_000
  return {
    connectionString: url,
    application_name: config.applicationName ?? 'millrace',
    connectionTimeoutMillis: config.timeoutMs ?? 5_000,
    keepAlive: true,
    types: clientTypes(),
    ...(statementTimeoutMs > 0 && {
      statement_timeout: statementTimeoutMs,
      query_timeout: statementTimeoutMs + CLIENT_GRACE_MS,
    }),
    ...(config.lockTimeoutMs && { lock_timeout: config.lockTimeoutMs }),
  }
}

const OID = { int8: 20, date: 1082, int8Array: 1016 } as const

/** int8 as bigint, because user hashes and positions do not fit a number; date as it is, because a Date would move it to local time. */
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
