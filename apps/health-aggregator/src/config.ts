import { EVENTS_STORE_GROUP } from '@millrace/contracts'
import { parseObjectStoreUrl } from '@millrace/object-store'
import {
  address,
  archiveRules,
  archiveSettings,
  type ConfigOf,
  checkRedisUrl,
  checkRules,
  databaseSettings,
  defineConfig,
  host,
  integer,
  list,
  logStreamSettings,
  mirrorSettings,
  name,
  port,
  secret,
  serviceSettings,
  streamRules,
  streamSettings,
  text,
  url,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_105 }),
  GRPC_HOST: host({ default: '127.0.0.1', description: 'address the gRPC server listens on' }),
  GRPC_PORT: port({ default: 9105, description: 'port of the gRPC server' }),
  ...databaseSettings({
    holds: 'the ledger, and the server whose health is checked',
    connectionLimit: 4,
    poolNote: '; few checks run at once',
    timeoutMs: 1500,
    retryAttempts: 1,
  }),
  ...streamSettings(),
  ...logStreamSettings(),
  ...mirrorSettings(),
  CACHE_REDIS_URL: secret({
    optional: true,
    check: checkRedisUrl,
    description: 'Redis whose health is reported with STREAM_DRIVER kafka; otherwise it is the Redis of the stream',
  }),
  ADMIN_URLS: list({
    default: [
      'ingest-gateway=http://127.0.0.1:8081',
      'stream-consumer=http://127.0.0.1:10101',
      'log-shipper=http://127.0.0.1:10103',
      'analytics-query=http://127.0.0.1:10102',
    ],
    items: { are: 'pairs of the form name=url', isValid: (item) => /^[^=]+=https?:\/\/[^/]/.test(item) },
    description: 'admin servers whose /ready is checked, as name=url pairs; each instance needs a different name',
  }),
  GATEWAY_URL: url({
    default: 'http://127.0.0.1:8080',
    protocols: ['http:', 'https:'],
    description: 'URL of the gateway that receives synthetic events',
  }),
  ANALYTICS_QUERY_ADDRESS: address({
    default: '127.0.0.1:9102',
    description: 'host:port of analytics-query, which must find the synthetic events',
  }),
  SYNTHETIC_INTERVAL_SECONDS: integer({
    default: 10,
    min: 0,
    max: 3600,
    unit: 's',
    description: 'time between two synthetic events; 0 turns them off',
  }),
  SYNTHETIC_TIMEOUT_MS: integer({
    default: 8000,
    min: 100,
    unit: 'ms',
    description: 'a synthetic event fails when no query finds it in this time',
  }),
  HEALTH_CACHE_MS: integer({
    default: 2000,
    min: 0,
    unit: 'ms',
    description: 'how long the result of a check is reused',
  }),
  HEALTH_CHECK_TIMEOUT_MS: integer({
    default: 2000,
    min: 50,
    unit: 'ms',
    description: 'a check fails when it takes longer',
  }),
  LEDGER_INTERVAL_MS: integer({
    default: 2000,
    min: 100,
    unit: 'ms',
    description: 'time between two comparisons of the ledger with the stream',
  }),
  LEDGER_LOST_AFTER_MS: integer({
    default: 10_000,
    min: 0,
    unit: 'ms',
    description: 'records that are missing for this long count as lost',
  }),
  LAG_MAX: integer({
    default: 1000,
    min: 0,
    unit: 'records',
    description: 'the status is degraded when the lag of a partition exceeds this',
  }),
  STREAM_GROUP: name({ default: EVENTS_STORE_GROUP, description: 'name of the consumer group that stores events' }),
  MILLRACE_DATA_DIR: text({
    default: '.millrace',
    description: 'directory on the disk whose free space is reported, and in which the archive is without ARCHIVE_URL',
  }),
  ...archiveSettings({ parseUrl: parseObjectStoreUrl }),
}).superRefine(checkRules(...streamRules, ...archiveRules))

export type Config = ConfigOf<typeof configSchema>
