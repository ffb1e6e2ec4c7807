import { EVENTS_STORE_GROUP } from '@millrace/contracts'
import {
  type ConfigOf,
  databaseSettings,
  defineConfig,
  integer,
  list,
  port,
  serviceSettings,
  streamSettings,
  text,
  url,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_105 }),
  GRPC_HOST: text({ default: '127.0.0.1', description: 'address the gRPC server listens on' }),
  GRPC_PORT: port({ default: 9105, description: 'port of the gRPC server' }),
  ...databaseSettings({
    holds: 'what is asked about its health, and the ledger',
    connectionLimit: 4,
    poolNote: '; checks are few',
    timeoutMs: 1500,
    retryAttempts: 1,
  }),
  ...streamSettings(),
  ADMIN_URLS: list({
    default: [
      'ingest-gateway=http://127.0.0.1:8081',
      'stream-consumer=http://127.0.0.1:10101',
      'analytics-query=http://127.0.0.1:10102',
    ],
    description: 'admin servers whose /ready is asked, as name=url; every instance has its own name',
  }),
  GATEWAY_URL: url({
    default: 'http://127.0.0.1:8080',
    protocols: ['http:', 'https:'],
    description: 'where the synthetic event is posted',
  }),
  ANALYTICS_QUERY_ADDRESS: text({
    default: '127.0.0.1:9102',
    description: 'host:port where the synthetic event is looked for',
  }),
  SYNTHETIC_INTERVAL_SECONDS: integer({
    default: 10,
    min: 0,
    max: 3600,
    unit: 's',
    description: 'time between synthetic events; 0 sends none',
  }),
  SYNTHETIC_TIMEOUT_MS: integer({
    default: 8000,
    min: 100,
    unit: 'ms',
    description: 'a synthetic event that takes longer to be found has failed',
  }),
  HEALTH_CACHE_MS: integer({
    default: 2000,
    min: 0,
    unit: 'ms',
    description: 'how long the result of a check is given out again',
  }),
  HEALTH_CHECK_TIMEOUT_MS: integer({
    default: 2000,
    min: 50,
    unit: 'ms',
    description: 'a check that takes longer has failed',
  }),
  LEDGER_INTERVAL_MS: integer({
    default: 2000,
    min: 100,
    unit: 'ms',
    description: 'time between two comparisons of the ledger with the streams',
  }),
  LEDGER_LOST_AFTER_MS: integer({
    default: 10_000,
    min: 0,
    unit: 'ms',
    description: 'records that stay missing so long count as lost',
  }),
  LAG_MAX: integer({
    default: 1000,
    min: 0,
    unit: 'records',
    description: 'lag of one partition from which the queue is degraded',
  }),
  STREAM_GROUP: text({ default: EVENTS_STORE_GROUP, description: 'name of the group that stores the events' }),
  MILLRACE_DATA_DIR: text({ default: '.millrace', description: 'directory whose disk is watched' }),
})

export type Config = ConfigOf<typeof configSchema>
