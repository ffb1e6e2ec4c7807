import { EVENTS_STREAM } from '@millrace/contracts'
import { boolean, choice, integer, list, secret, text } from './settings.js'

export interface DatabaseSettingsOptions {
  /** What the service keeps there. */
  readonly holds: string
  readonly connectionLimit: number
  /** What the largest pool does not count, or how it is used; after the words "largest pool". */
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
      description: `largest pool${poolNote}`,
    }),
    DATABASE_TIMEOUT: integer({
      default: timeoutMs,
      min: 100,
      max: 600_000,
      unit: 'ms',
      description: 'longest wait for a connection',
    }),
    DATABASE_RETRY_ATTEMPTS: integer({
      default: retryAttempts,
      min: 1,
      max: 10,
      unit: 'calls',
      description: 'calls in all where the failure is a passing one',
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
      description: 'never changed once events are in',
    }),
    STREAM_REDIS_URL: secret({ description: 'Redis that holds the stream' }),
    REDIS_CLUSTER_ENABLED: boolean({ default: false, description: 'whether STREAM_REDIS_URL is a Cluster' }),
    REDIS_SENTINEL_HOSTS: list({ default: [], description: 'host:port of the Sentinels of the stream’s Redis' }),
    REDIS_MASTER_NAME: text({ optional: true, description: 'name by which the Sentinels know the primary' }),
  }
}
