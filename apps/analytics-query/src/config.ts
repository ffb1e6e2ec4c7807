import { EVENTS_STORE_GROUP } from '@millrace/contracts'
import {
  type ConfigOf,
  choice,
  databaseSettings,
  defineConfig,
  integer,
  port,
  secret,
  serviceSettings,
  text,
  url,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_102 }),
  GRPC_HOST: text({ default: '127.0.0.1', description: 'address the gRPC server listens on' }),
  GRPC_PORT: port({ default: 9102, description: 'port of the gRPC server' }),
  ...databaseSettings({
    holds: 'events, rollups and what the answers are kept by',
    connectionLimit: 10,
    poolNote: ', so many queries run at once',
  }),
  DATABASE_REPLICA_URL: secret({
    optional: true,
    description: 'a replica that queries read from; the primary when it is not set',
  }),
  DATABASE_REPLICA_LAG_MAX: integer({
    default: 10_000,
    min: 100,
    unit: 'ms',
    description: 'how far the replica may stay behind the primary before the primary is read',
  }),
  QUERY_TIMEOUT_MS: integer({
    default: 15_000,
    min: 100,
    unit: 'ms',
    description: 'after this PostgreSQL gives up a statement',
  }),
  QUERY_BUDGET_ROWS: integer({
    default: 50_000_000,
    min: 1,
    description:
      'most rows that one query may read, about what PostgreSQL reads within QUERY_TIMEOUT_MS; a tenant may have its own in tenants.settings as query_budget_rows',
  }),
  QUERY_BUDGET_PARTITIONS: integer({
    default: 400,
    min: 1,
    description: 'most day partitions that one query may touch, 13 months; a tenant’s own is query_budget_partitions',
  }),
  QUERY_BUDGET_BYTES: integer({
    default: 268_435_456,
    min: 1,
    unit: 'bytes',
    description: 'most memory of this process that one query may take; a tenant’s own is query_budget_bytes',
  }),
  QUERY_CONCURRENCY_PER_TENANT: integer({
    default: 8,
    min: 1,
    description:
      'queries of one tenant that run at once; below DATABASE_CONNECTION_LIMIT others always find a connection; a tenant’s own is query_concurrency',
  }),
  QUERY_QUEUE_PER_TENANT: integer({
    default: 100,
    min: 0,
    description: 'queries of one tenant that may wait for their turn; more are refused with 429',
  }),
  QUERY_QUEUE_MAX: integer({
    default: 1000,
    min: 0,
    description: 'queries of all tenants that may wait for their turn; more are refused with 503',
  }),
  QUERY_BUCKETS_MAX: integer({ default: 10_000, min: 1, max: 100_000, description: 'most buckets of one query' }),
  QUERY_CELLS_MAX: integer({
    default: 200_000,
    min: 1,
    description:
      'most buckets times groups of one query; of what follows users, the cohorts, steps and buckets that have some; about 500 bytes each',
  }),
  QUERY_WAIT_MS: integer({
    default: 2_000,
    min: 0,
    max: 60_000,
    unit: 'ms',
    description:
      'how long a query waits for its min_watermark that does not say how long; an event is usually stored within 0.1 s',
  }),
  QUERY_WAIT_MAX_MS: integer({
    default: 10_000,
    min: 0,
    max: 60_000,
    unit: 'ms',
    description: 'longest such wait, whatever the query says; half of its deadline at most in any case',
  }),
  QUERY_WAITING_MAX: integer({
    default: 1_000,
    min: 0,
    description:
      'most queries that wait so at once; a tenant has at most as many as it leaves free, and a further one is answered without',
  }),
  QUERY_TAIL_ROWS_MAX: integer({
    default: 500_000,
    min: 0,
    unit: 'records',
    description:
      'most stored records not yet rolled up that one answer reads; with more the answer is as of the last flush',
  }),
  QUERY_DIRTY_WINDOWS_MAX: integer({
    default: 20_000,
    min: 0,
    description:
      'most windows waiting for recomputation that one plan works around; with more it uses 1-minute windows alone',
  }),
  PACK_DAYS_INTERVAL_MS: integer({
    default: 30_000,
    min: 0,
    unit: 'ms',
    description:
      'pause between looks for days that are over and can be packed by user, and the longest one after each day, which is twice what its packing took; 0 packs nothing here and reads raw rows for all that follows users',
  }),
  CACHE_REDIS_URL: secret({
    optional: true,
    description:
      'Redis that keeps answers for all processes and over restarts; without it each keeps its own in memory',
  }),
  CACHE_MEMORY_BYTES: integer({
    default: 134_217_728,
    min: 1_048_576,
    unit: 'bytes',
    description: 'most answers in the memory of this process',
  }),
  CACHE_CLOSED_DAYS: integer({
    default: 7,
    min: 1,
    max: 12,
    unit: 'days',
    description:
      'how long the answer over a closed range is kept unless a late event drops it; late events are remembered for 14 days',
  }),
  CACHE_OPEN_MS: integer({
    default: 1000,
    min: 1,
    max: 60_000,
    unit: 'ms',
    description: 'how long the answer over a range that events still come into is as good as new',
  }),
  CACHE_STALE_MINUTES: integer({
    default: 60,
    min: 0,
    max: 1440,
    unit: 'minutes',
    description: 'so much longer an answer is kept, to stand in, marked stale, while the database is away',
  }),
  EVENTS_MAX_AGE_DAYS: integer({
    default: 400,
    min: 1,
    max: 36_500,
    unit: 'days',
    description: 'as the gateway has it: what lies further back can change no more, and browsers are told so',
  }),
  EDGE_PURGE_URL: url({
    optional: true,
    description:
      'where a CDN or proxy is told to forget answers, by a request with the header Surrogate-Key; see docs/decisions/0009',
  }),
  EDGE_PURGE_METHOD: choice(['PURGE', 'POST'], { default: 'POST', description: 'method of that request' }),
  EDGE_PURGE_HEADER: secret({
    optional: true,
    description: 'a header that proves who purges, as Name: value',
  }),
  EDGE_MAX_AGE_S: integer({
    default: 3600,
    min: 1,
    max: 604_800,
    unit: 's',
    description:
      'how long a purged edge may keep the answer over a closed range; a key whose revocation it missed reads on for so long',
  }),
  QUERY_RESPONSE_PROPERTY: text({
    default: 'properties.duration_ms',
    description:
      'the number whose average the daily report shows; ROLLUPS of the ingest-gateway must keep it for event *',
  }),
  REPORT_REFRESH_INTERVAL: integer({
    default: 300_000,
    min: 0,
    unit: 'ms',
    description:
      'how long after a refresh the daily report is refreshed again if anything has come in; 0 never refreshes it here',
  }),
  REPORT_REFRESH_TIMEOUT: integer({
    default: 300_000,
    min: 1000,
    unit: 'ms',
    description: 'after this PostgreSQL gives up a statement of a refresh',
  }),
  STREAM_NAME: text({ default: 'events', description: 'name of the stream of events' }),
  STREAM_GROUP: text({
    default: EVENTS_STORE_GROUP,
    description: 'name of the consumer group that writes the rollups',
  }),
})

export type Config = ConfigOf<typeof configSchema>
