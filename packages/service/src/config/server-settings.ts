import { EVENTS_STREAM, LOGS_STORE_GROUP, LOGS_STREAM } from '@millrace/contracts'
import { kafkaRules, kafkaSettings } from './kafka-settings.js'
import { isAddress } from './place-settings.js'
import type { Secret } from './secret.js'
import { boolean, choice, integer, list, name, secret } from './settings.js'
import type { SettingsRule } from './settings-rules.js'

/** The rule of a setting with the URL of a PostgreSQL server. The message does not repeat the URL, which may contain a password. */
export function checkDatabaseUrl(value: string): string | undefined {
  const isUrl = URL.canParse(value) && ['postgres:', 'postgresql:'].includes(new URL(value).protocol)
  return isUrl ? undefined : 'must be a URL such as postgres://user:password@host:5432/database'
}

/** The rule of a setting with the URL of a Redis server, or of several nodes of a Cluster. */
export function checkRedisUrl(value: string): string | undefined {
  const isValid = value.split(',').every((part) => isRedisUrl(part.trim()))
  return isValid
    ? undefined
    : 'must be a URL such as redis://user:password@host:6379, rediss:// with TLS, or unix:///path'
}

function isRedisUrl(part: string): boolean {
  if (!URL.canParse(part)) return false
  const { protocol, hostname, pathname } = new URL(part)
  if (protocol === 'unix:') return pathname.length > 1
  return (protocol === 'redis:' || protocol === 'rediss:') && hostname !== '' && /^\/?\d{0,6}$/.test(pathname)
}

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
    DATABASE_URL: secret({
      check: checkDatabaseUrl,
      description: `PostgreSQL, as postgres://user:password@host:port/database: ${holds}`,
    }),
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

/**
 * The settings of a service that uses the stream, on Redis or on Kafka; `startRedis` of @millrace/redis and `openStreamDriver` of @millrace/streams take
 * them. `streamRules` checks them together.
 */
export function streamSettings() {
  return {
    STREAM_DRIVER: choice(['redis', 'kafka'], {
      default: 'redis',
      description:
        'server that holds the stream: the Redis of STREAM_REDIS_URL, or the Kafka cluster of KAFKA_BROKERS; the same in all services, and must not change once the stream holds events',
    }),
    STREAM_NAME: name({ default: EVENTS_STREAM, description: 'name of the stream' }),
    STREAM_PARTITIONS: integer({
      default: 16,
      min: 1,
      max: 1024,
      unit: 'partitions',
      description: 'number of partitions of the stream; must not change once it holds events',
    }),
    STREAM_REDIS_URL: secret({
      optional: true,
      check: checkRedisUrl,
      description: 'Redis that holds the stream, as redis://user:password@host:port; required with STREAM_DRIVER redis',
    }),
    REDIS_CLUSTER_ENABLED: boolean({
      default: false,
      description: 'whether STREAM_REDIS_URL is a node of a Redis Cluster',
    }),
    REDIS_SENTINEL_HOSTS: list({
      default: [],
      items: { are: 'host or host:port', isValid: (item) => isAddress(item.includes(':') ? item : `${item}:1`) },
      description: 'host:port of the Redis Sentinels, which then name the primary instead of STREAM_REDIS_URL',
    }),
    REDIS_MASTER_NAME: name({
      optional: true,
      description: 'name of the primary in the configuration of the Sentinels',
    }),
    ...kafkaSettings(),
  }
}

/** `streamSettings` for a service with a stream of its own: without the name and the number of partitions of the stream of events. */
export function streamServerSettings() {
  const { STREAM_NAME: _name, STREAM_PARTITIONS: _partitions, ...settings } = streamSettings()
  return settings
}

/** The settings of the stream of log lines, which is on the server of `streamServerSettings`. */
export function logStreamSettings() {
  return {
    LOG_STREAM_NAME: name({ default: LOGS_STREAM, description: 'name of the stream of log lines' }),
    LOG_STREAM_PARTITIONS: integer({
      default: 16,
      min: 1,
      max: 1024,
      unit: 'partitions',
      description: 'number of partitions of the stream of log lines; must not change once it holds lines',
    }),
    LOG_STREAM_GROUP: name({
      default: LOGS_STORE_GROUP,
      description: 'consumer group of the stream of log lines; its positions are rows of stream_partitions',
    }),
  }
}

/** Rules over `streamSettings`, for `checkRules`. */
export const streamRules = [streamServerRule, ...kafkaRules] as const

function streamServerRule(config: {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  readonly STREAM_REDIS_URL?: Secret | undefined
  readonly KAFKA_BROKERS: readonly string[]
}): string | undefined {
  if (config.STREAM_DRIVER === 'redis')
    return config.STREAM_REDIS_URL === undefined
      ? 'STREAM_REDIS_URL is not set: Redis that holds the stream, as redis://user:password@host:port.'
      : undefined
  return config.KAFKA_BROKERS.length === 0
    ? 'KAFKA_BROKERS is not set, but STREAM_DRIVER is kafka: set KAFKA_BROKERS to host:port of brokers of the cluster, separated by commas.'
    : undefined
}

/**
 * For a service that needs a Redis also when the stream is on Kafka.
 * @param uses what the service uses it for, with a verb: "rate limits need"
 */
export function cacheRedisRule(uses: string): SettingsRule<CacheRedisValues> {
  return (config) =>
    config.STREAM_DRIVER === 'kafka' && config.CACHE_REDIS_URL === undefined && config.STREAM_REDIS_URL === undefined
      ? `CACHE_REDIS_URL is not set: ${uses} a Redis, also with STREAM_DRIVER kafka.`
      : undefined
}

export interface CacheRedisValues {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  readonly STREAM_REDIS_URL?: Secret | undefined
  readonly CACHE_REDIS_URL?: Secret | undefined
}

/** Refuses a number of Redis replicas for a stream that is on Kafka. */
export function redisReplicasRule({
  STREAM_DRIVER: driver,
  STREAM_MIN_REPLICAS: replicas,
}: {
  readonly STREAM_DRIVER: 'redis' | 'kafka'
  readonly STREAM_MIN_REPLICAS: number
}): string | undefined {
  if (driver === 'redis' || replicas === 0) return undefined
  return `STREAM_MIN_REPLICAS is ${replicas}, but STREAM_DRIVER is kafka: it counts replicas of Redis; set KAFKA_MIN_INSYNC_REPLICAS instead.`
}

/**
 * How old accepted events may be, and how long they are kept. Every service that uses one of the two reads both, so that an environment in which they
 * contradict each other is refused by each of them; see `eventTimesRule`.
 */
export function eventTimeSettings() {
  return {
    EVENTS_MAX_AGE_DAYS: integer({
      default: 400,
      sameAs: 'EVENTS_RETENTION_DAYS',
      min: 1,
      max: 36_500,
      unit: 'days',
      description:
        'events with an older time are rejected; at most EVENTS_RETENTION_DAYS, which it equals when it is not set; the same in all services',
    }),
    EVENTS_RETENTION_DAYS: integer({
      default: 400,
      min: 1,
      max: 36_500,
      unit: 'days',
      description:
        'how long events, logins, activities, ended sessions (from the time they were last seen) and 1-minute rollups are kept; the same in all services',
    }),
  }
}
