import { EVENTS_STREAM } from '@millrace/contracts'
import { boolean, choice, integer, list, secret, text } from './settings.js'

export interface DatabaseSettingsOptions {
  /** What the service uses the database for; ends the description of DATABASE_URL. */
  readonly holds: string
  readonly connectionLimit: number
  /** Ends the description of DATABASE_CONNECTION_LIMIT, for example with the connections outside of the pool. */
  readonly poolNote?: string
  /** Default 5,000. */
  readonly timeoutMs?: number
  /** Default 3. */
  readonly retryAttempts?: number
}

/** The settings of a service that uses PostgreSQL (OPS-7); `startDatabase` of @millrace/database takes them. */
export function databaseSettings(options: DatabaseSettingsOptions) {
  const { holds, connectionLimit, poolNote = '', timeoutMs = 5000, retryAttempts = 3 } = options
  return {
    DATABASE_URL: secret({ description: `PostgreSQL, as postgres://user:password@host:port/database: ${holds}` }),
    DATABASE_CONNECTION_LIMIT: integer({
      default: connectionLimit,
      min: 1,
      max: 1000,
      unit: 'connections',
      description: `maximum size of the connection pool${poolNote}`,
    }),
    DATABASE_TIMEOUT: integer({
      default: timeoutMs,
      min: 100,
      max: 600_000,
      unit: 'ms',
      description: 'longest wait for a connection of the pool',
    }),
    DATABASE_RETRY_ATTEMPTS: integer({
      default: retryAttempts,
      min: 1,
      max: 10,
      unit: 'calls',
      description: 'attempts in all for a statement that fails for a temporary reason',
    }),
  }
}

/** The settings of a service that uses the stream and its Redis; `streamRedisConfig` of @millrace/redis takes them. */
export function streamSettings() {
  return {
    STREAM_DRIVER: choice(['redis', 'kafka'], {
      default: 'redis',
      description: 'server that holds the stream; the start fails when this version has no driver for it',
    }),
    STREAM_NAME: text({ default: EVENTS_STREAM, description: 'name of the stream' }),
    STREAM_PARTITIONS: integer({
      default: 16,
      min: 1,
      max: 1024,
      unit: 'partitions',
      description: 'number of partitions of the stream; must not change once it holds events',
    }),
    STREAM_REDIS_URL: secret({ description: 'Redis that holds the stream, as redis://user:password@host:port' }),
    REDIS_CLUSTER_ENABLED: boolean({
      default: false,
      description: 'whether STREAM_REDIS_URL is a node of a Redis Cluster',
    }),
    REDIS_SENTINEL_HOSTS: list({
      default: [],
      description: 'host:port of the Redis Sentinels, which then name the primary instead of STREAM_REDIS_URL',
    }),
    REDIS_MASTER_NAME: text({
      optional: true,
      description: 'name of the primary in the configuration of the Sentinels',
    }),
  }
}
