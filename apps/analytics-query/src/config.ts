import { EVENTS_STORE_GROUP } from '@millrace/contracts'
import {
  atMostRule,
  type ConfigOf,
  checkDatabaseUrl,
  checkRedisUrl,
  checkRules,
  choice,
  databaseSettings,
  defineConfig,
  eventTimeSettings,
  eventTimesRule,
  host,
  integer,
  name,
  port,
  secret,
  serviceSettings,
  text,
  url,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_102 }),
  GRPC_HOST: host({
    default: '127.0.0.1',
    description: 'bind address of the gRPC server; callers are not authenticated, do not expose it',
  }),
  GRPC_PORT: port({ default: 9102, description: 'port of the gRPC server' }),
  ...databaseSettings({
    holds: 'events, rollups and packed days',
    connectionLimit: 10,
    poolNote: '; also the maximum number of queries that run at once',
  }),
  DATABASE_REPLICA_URL: secret({
    check: checkDatabaseUrl,
    optional: true,
    description: 'URL of a replica for queries; without it they use the primary',
  }),
  DATABASE_REPLICA_LAG_MAX: integer({
    default: 10_000,
    min: 100,
    unit: 'ms',
    description: 'maximum lag of the replica; when it is further behind, queries use the primary',
  }),
  QUERY_TIMEOUT_MS: integer({
    default: 15_000,
    min: 100,
    unit: 'ms',
    description: 'PostgreSQL cancels a statement of a query after this time',
  }),
  QUERY_BUDGET_ROWS: integer({
    default: 50_000_000,
    min: 1,
    description:
      'maximum rows that one query may read by the estimate, about as many as PostgreSQL reads within QUERY_TIMEOUT_MS; query_budget_rows in tenants.settings overrides it for a tenant',
  }),
  QUERY_BUDGET_PARTITIONS: integer({
    default: 400,
    min: 1,
    description:
      'maximum day partitions that one query may read, 13 months; query_budget_partitions in tenants.settings overrides it for a tenant',
  }),
  QUERY_BUDGET_BYTES: integer({
    default: 268_435_456,
    min: 1,
    unit: 'bytes',
    description:
      'maximum memory that one query may use in this process by the estimate; query_budget_bytes in tenants.settings overrides it for a tenant',
  }),
  QUERY_CONCURRENCY_PER_TENANT: integer({
    default: 8,
    min: 1,
    description:
      'maximum queries of one tenant that run at once; keep it below DATABASE_CONNECTION_LIMIT, so that one tenant cannot occupy all connections; query_concurrency in tenants.settings overrides it for a tenant',
  }),
  QUERY_QUEUE_PER_TENANT: integer({
    default: 100,
    min: 0,
    description: 'maximum queries of one tenant in the queue; a further one is rejected with 429',
  }),
  QUERY_QUEUE_MAX: integer({
    default: 1000,
    min: 0,
    description: 'maximum queries of all tenants in the queue; a further one is rejected with 503',
  }),
  QUERY_BUCKETS_MAX: integer({
    default: 10_000,
    min: 1,
    max: 100_000,
    description: 'maximum buckets of one query; one with more is rejected',
  }),
  QUERY_CELLS_MAX: integer({
    default: 200_000,
    min: 1,
    description:
      'maximum cells of one query (buckets times groups; for funnels, retention and sessions those with users); one with more is rejected; a cell takes about 500 bytes of memory',
  }),
  QUERY_WAIT_MS: integer({
    default: 2_000,
    min: 0,
    max: 60_000,
    unit: 'ms',
    description:
      'how long a query waits for its min_watermark unless it sets wait; an accepted event is usually stored within 0.1 s',
  }),
  QUERY_WAIT_MAX_MS: integer({
    default: 10_000,
    min: 0,
    max: 60_000,
    unit: 'ms',
    description: 'upper limit of the wait that a query may set; never more than half of the time left for the call',
  }),
  QUERY_WAITING_MAX: integer({
    default: 1_000,
    min: 0,
    description:
      'maximum queries waiting for their min_watermark; a tenant may not hold more places than are left free (half when alone); beyond that a query is answered at once, with is_behind',
  }),
  QUERY_TAIL_ROWS_MAX: integer({
    default: 500_000,
    min: 0,
    unit: 'records',
    description:
      'maximum stored records that are not yet in rollups and that a query adds from raw rows; with more, answers show the state of the last flush of the rollups',
  }),
  QUERY_DIRTY_WINDOWS_MAX: integer({
    default: 20_000,
    min: 0,
    description:
      'maximum dirty rollup windows in the range of a query; with more, the query reads only 1-minute windows, which are never dirty',
  }),
  PACK_DAYS_INTERVAL_MS: integer({
    default: 30_000,
    min: 0,
    unit: 'ms',
    description:
      'interval at which this process looks for finished days to pack; after each packed day it pauses for twice the time that packing took, but no longer than this; 0 disables packed days: nothing is packed, and funnels, retention and sessions read raw rows',
  }),
  CACHE_REDIS_URL: secret({
    check: checkRedisUrl,
    optional: true,
    description:
      'URL of the Redis that shares cached answers between processes and keeps them over restarts; without it each process caches in its own memory',
  }),
  CACHE_MEMORY_BYTES: integer({
    default: 134_217_728,
    min: 1_048_576,
    unit: 'bytes',
    description: 'maximum size of the answers cached in the memory of this process',
  }),
  CACHE_CLOSED_DAYS: integer({
    default: 7,
    min: 1,
    max: 12,
    unit: 'days',
    description:
      'how long an answer over a closed range is cached unless a late event invalidates it; less than the 14 days for which late events are recorded',
  }),
  CACHE_OPEN_MS: integer({
    default: 1000,
    min: 1,
    max: 60_000,
    unit: 'ms',
    description: 'how long an answer over an open range, which new events can still change, is cached',
  }),
  CACHE_STALE_MINUTES: integer({
    default: 60,
    min: 0,
    max: 1440,
    unit: 'minutes',
    description:
      'how long beyond that a cached answer is kept, to be returned as a stale answer when the database fails or is overloaded',
  }),
  // Browsers may cache answers over ranges that are older than accepted events as immutable.
  ...eventTimeSettings(),
  EDGE_PURGE_URL: url({
    optional: true,
    description:
      'URL of a CDN or proxy that is to drop its copies of changed answers; it gets a request with the header Surrogate-Key, see docs/decisions/0009',
  }),
  EDGE_PURGE_METHOD: choice(['PURGE', 'POST'], { default: 'POST', description: 'HTTP method of the purge request' }),
  EDGE_PURGE_HEADER: secret({
    optional: true,
    check: (value) => (/^[\w-]+:./.test(value) ? undefined : 'must be of the form Name: value'),
    description: 'header that authenticates the purge request, as Name: value',
  }),
  EDGE_MAX_AGE_S: integer({
    default: 3600,
    min: 1,
    max: 604_800,
    unit: 's',
    description:
      'how long an edge that is purged may cache an answer over a closed range; if the purge of a revoked API key fails, the key can read cached answers for this long',
  }),
  QUERY_RESPONSE_PROPERTY: text({
    check: (value) =>
      /^(properties|context)[.[]./.test(value) ? undefined : 'must be a path that begins with properties. or context.',
    default: 'properties.duration_ms',
    description:
      'numeric property whose average the daily report shows; the ROLLUPS of the ingest-gateway must contain it for the event *',
  }),
  REPORT_REFRESH_INTERVAL: integer({
    default: 300_000,
    min: 0,
    max: 2_147_483_647,
    unit: 'ms',
    description:
      'minimum time between two refreshes of the daily report; it is refreshed only when new events were stored; 0 disables refreshing in this process',
  }),
  REPORT_REFRESH_TIMEOUT: integer({
    default: 300_000,
    min: 1000,
    max: 2_147_483_647,
    unit: 'ms',
    description: 'PostgreSQL cancels a statement of a refresh after this time',
  }),
  STREAM_NAME: name({ default: 'events', description: 'name of the stream of events' }),
  STREAM_GROUP: name({
    default: EVENTS_STORE_GROUP,
    description: 'consumer group that stores the events; its positions tell how far the events are stored',
  }),
}).superRefine(checkRules(eventTimesRule, atMostRule('QUERY_WAIT_MS', 'QUERY_WAIT_MAX_MS')))

export type Config = ConfigOf<typeof configSchema>
