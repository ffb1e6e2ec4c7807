import { HOUR_MS } from '@millrace/contracts'
import {
  archiveRules,
  atMostRule,
  type ConfigOf,
  cacheRedisRule,
  checkRedisUrl,
  checkRules,
  databaseSettings,
  decimal,
  defineConfig,
  host,
  integer,
  logStreamSettings,
  port,
  producerSettings,
  redisReplicasRule,
  secret,
  serviceSettings,
  streamRules,
  streamServerSettings,
} from '@millrace/service'
import { logArchiveSettings } from './archive/archive-settings.js'
import { sourceSettings } from './sources/source-settings.js'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_103 }),
  HTTP_HOST: host({
    default: '127.0.0.1',
    description: 'address on which the HTTP server for log lines listens; 0.0.0.0 listens on every network',
  }),
  HTTP_PORT: port({ default: 4318, description: 'port of the HTTP server for log lines' }),
  HTTP_CONNECTIONS_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'connections',
    description: 'maximum open connections; further ones are closed at once',
  }),
  HTTP_HEADERS_TIMEOUT_MS: integer({
    default: 10_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'time within which the headers of a request must arrive',
  }),
  HTTP_REQUEST_TIMEOUT_MS: integer({
    default: 30_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'time within which a whole request must arrive',
  }),
  GRPC_HOST: host({
    default: '127.0.0.1',
    description: 'bind address of the gRPC server; callers are not authenticated, do not expose it',
  }),
  GRPC_PORT: port({ default: 9103, description: 'port of the gRPC server' }),

  ...sourceSettings(),

  ...databaseSettings({
    holds: 'log lines, positions, keys and this service’s side of the ledger',
    connectionLimit: 5,
    poolNote: ', besides the connection that stores log lines',
  }),

  KEY_CACHE_MS: integer({
    default: 30_000,
    min: 100,
    max: HOUR_MS,
    unit: 'ms',
    description:
      'how long the result of the look-up of an API key is used; a revocation that is not announced takes effect within this time',
  }),
  KEY_GRACE_MINUTES: integer({
    default: 60,
    min: 0,
    max: 10_080,
    unit: 'minutes',
    description:
      'how much longer a key that was looked up stays valid while PostgreSQL is down or does not answer; then requests get 503',
  }),

  ...streamServerSettings(),
  ...logStreamSettings(),
  CACHE_REDIS_URL: secret({
    optional: true,
    check: checkRedisUrl,
    description: 'Redis for rate limits and for notices between services; default: STREAM_REDIS_URL',
  }),
  ...producerSettings({ records: 'log lines' }),

  LEASE_MS: integer({
    default: 30_000,
    min: 500,
    max: 600_000,
    unit: 'ms',
    description:
      'a process that has not renewed its lease for this time loses its partitions; with STREAM_DRIVER kafka also session.timeout.ms of the consumer, which the brokers limit (6,000 to 1,800,000 by default)',
  }),
  LOG_WINDOW_SECONDS: decimal({
    default: 15,
    min: 0.1,
    max: 600,
    unit: 's',
    description:
      'log lines are written to PostgreSQL at the latest after this time; until then they are in memory and in the stream, and searches find them',
  }),
  LOG_WINDOW_LINES: integer({
    default: 131_072,
    min: 1,
    max: 1_000_000,
    unit: 'lines',
    description: 'log lines are written to PostgreSQL as soon as this number of them is in memory',
  }),
  LOG_TAIL_BYTES_MAX: integer({
    default: 67_108_864,
    min: 65_536,
    max: 4_294_967_296,
    unit: 'bytes',
    description: 'log lines are written to PostgreSQL as soon as they take this number of bytes in memory',
  }),
  LOG_RETENTION_DAYS: integer({
    default: 90,
    min: 1,
    max: 36_500,
    unit: 'days',
    description:
      'how long log lines are kept, by their time; older lines that arrive are kept for this time from their receipt',
  }),

  ...logArchiveSettings(),

  LOG_WATCHERS_MAX: integer({
    default: 20,
    min: 0,
    max: 1000,
    unit: 'watchers',
    description: 'live streams of log lines at the same time; each reads the whole stream of log lines',
  }),
  LOG_BODY_BYTES_MAX: integer({
    default: 20_971_520,
    min: 1024,
    max: 134_217_728,
    unit: 'bytes',
    description: 'maximum body of a request with log lines, after decompression',
  }),
  LOG_RATE_LIMIT_LINES_PER_SECOND: integer({
    default: 1_000_000,
    min: 1,
    max: 1_000_000_000,
    unit: 'lines/s',
    description: 'average rate of log lines that a tenant may send',
  }),
  LOG_RATE_LIMIT_BURST_LINES: integer({
    default: 2_000_000,
    min: 1,
    max: 1_000_000_000,
    unit: 'lines',
    description: 'number of log lines that a tenant may send at once',
  }),
}).superRefine(
  checkRules(
    // Node refuses to start a server with them the other way round.
    atMostRule('HTTP_HEADERS_TIMEOUT_MS', 'HTTP_REQUEST_TIMEOUT_MS'),
    atMostRule('STREAM_LINGER_MS', 'STREAM_LINGER_MAX_MS'),
    ...streamRules,
    ...archiveRules,
    cacheRedisRule('rate limits and notices between services need'),
    redisReplicasRule,
  ),
)

export type Config = ConfigOf<typeof configSchema>
