import { EVENTS_STORE_GROUP, HOUR_MS } from '@millrace/contracts'
import {
  type ConfigOf,
  databaseSettings,
  decimal,
  defineConfig,
  integer,
  port,
  secret,
  serviceSettings,
  streamSettings,
  text,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_101 }),
  GRPC_HOST: text({
    default: '127.0.0.1',
    description: 'address the gRPC server listens on; it takes every caller at his word, so keep it inside',
  }),
  GRPC_PORT: port({ default: 9101, description: 'port of the gRPC server' }),

  ...databaseSettings({
    holds: 'events, journal, rollups, positions',
    connectionLimit: 5,
    poolNote: ', besides the one that writes',
  }),

  ...streamSettings(),
  STREAM_GROUP: text({
    default: EVENTS_STORE_GROUP,
    description: 'consumer group; its positions are rows of stream_partitions',
  }),
  CACHE_REDIS_URL: secret({
    optional: true,
    description: 'Redis for notices and live counts; default: STREAM_REDIS_URL',
  }),
  STREAM_MIN_REPLICAS: integer({
    default: 0,
    min: 0,
    max: 10,
    unit: 'replicas',
    description: 'replicas that must hold a replayed frame (WAIT)',
  }),

  BATCH_RECORDS_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'records',
    description: 'records of one transaction, about',
  }),
  BATCH_FRAMES_MAX: integer({
    default: 500,
    min: 1,
    max: 100_000,
    unit: 'frames',
    description: 'frames of one transaction',
  }),
  BATCH_BYTES_MAX: integer({
    default: 16_777_216,
    min: 1024,
    max: 1_073_741_824,
    unit: 'bytes',
    description: 'stored bytes of one transaction, about',
  }),
  BATCH_LINGER_MS: decimal({
    default: 10,
    min: 0,
    max: 10_000,
    unit: 'ms',
    description: 'how long a first frame waits for company at low load',
  }),
  STREAM_BLOCK_MS: integer({
    default: 5000,
    min: 10,
    max: 60_000,
    unit: 'ms',
    description: 'how long one read waits for frames',
  }),
  LEASE_MS: integer({
    default: 30_000,
    min: 500,
    max: 600_000,
    unit: 'ms',
    description: 'a consumer that is silent so long loses its partitions',
  }),
  STREAM_WINDOW_RECORDS: integer({
    default: 10_000_000,
    min: 1,
    max: 1_000_000_000_000,
    unit: 'records',
    description: 'consumed frames beyond so many records are trimmed',
  }),
  STREAM_WINDOW_DAYS: decimal({
    default: 30,
    min: 0.001,
    max: 3650,
    unit: 'days',
    description: 'consumed frames older than this are trimmed',
  }),
  // A row of about 100 bytes a partition and life of a gateway; a spool that comes back later shows as a loss.
  STREAM_PRODUCER_DAYS: decimal({
    default: 180,
    min: 0.001,
    max: 3650,
    unit: 'days',
    description:
      'a gateway process that has sent nothing for so long is forgotten, at the earliest after STREAM_WINDOW_DAYS',
  }),
  STREAM_TRIM_MEMORY_SHARE: decimal({
    default: 0.5,
    min: 0.05,
    max: 1,
    description: 'above this share of the memory ceiling more is trimmed than the windows ask',
  }),

  DEDUP_WINDOW_HOURS: decimal({
    default: 24,
    min: 0.001,
    max: 1000,
    unit: 'hours',
    description: 'how long a message id is remembered',
  }),
  // 25 bytes an id: a quarter of a gigabyte when full, which takes 10 million events in the window.
  DEDUP_IDS_MAX: integer({
    default: 10_000_000,
    min: 1000,
    max: 1_000_000_000,
    unit: 'ids',
    description: 'ids remembered by this process; the oldest go first, see millrace_dedup_window_covered_seconds',
  }),

  ROLLUP_FLUSH_MS: integer({
    default: 1000,
    min: 10,
    max: 60_000,
    unit: 'ms',
    description: 'under load the rollups of a partition are written so often',
  }),
  ROLLUP_EAGER_BYTES_PER_SECOND: integer({
    default: 250_000,
    min: 0,
    max: 1_000_000_000,
    unit: 'bytes/s',
    description: 'rollups written with every commit as long as they are no more than this',
  }),
  ROLLUP_EAGER_PAUSE_MS: integer({
    default: 200,
    min: 0,
    max: 60_000,
    unit: 'ms',
    description: 'but no partition sooner than so long after the last time',
  }),
  ROLLUP_CELLS_MAX: integer({
    default: 50_000,
    min: 100,
    max: 10_000_000,
    unit: 'cells',
    description: 'minutes of series kept in memory, about; a busy one takes up to 20 KB',
  }),
  ROLLUP_SERIES_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'series',
    description: 'series of a tenant and definition; what comes beyond is counted as $overflow',
  }),
  ROLLUP_COMPACT_MS: integer({
    default: 5000,
    min: 100,
    max: HOUR_MS,
    unit: 'ms',
    description: 'how often coarser windows are brought up to date',
  }),

  EVENTS_RETENTION_DAYS: integer({
    default: 400,
    min: 1,
    max: 36_500,
    unit: 'days',
    description:
      'how long events, logins, activities, ended sessions (from when they were last seen) and minutes of rollups are kept',
  }),
  // 1.5 million rows of 300 bytes, whose user index has 60 MB: what the processor's caches and PostgreSQL's memory hold with ease.
  EVENTS_SEGMENT_MB: integer({
    default: 512,
    min: 1,
    max: 1_000_000,
    unit: 'MB',
    description:
      'when the table of a day has grown by so much, and by a quarter, further events of the day go to another one',
  }),
  ROLLUP_5M_RETENTION_DAYS: integer({
    default: 400,
    min: 1,
    max: 36_500,
    unit: 'days',
    description: 'how long windows of 5 minutes are kept, with their minutes; never shorter than EVENTS_RETENTION_DAYS',
  }),
  ROLLUP_1H_RETENTION_DAYS: integer({
    default: 1100,
    min: 1,
    max: 36_500,
    unit: 'days',
    description: 'how long windows of an hour are kept, 3 years; never shorter than those of 5 minutes',
  }),
  // The daily report reads 90 of them.
  ROLLUP_1D_RETENTION_DAYS: integer({
    default: 3660,
    min: 100,
    max: 36_500,
    unit: 'days',
    description: 'how long windows of a UTC day are kept, 10 years; never shorter than those of an hour',
  }),
  SESSION_IDLE_MINUTES: decimal({
    default: 30,
    min: 0.01,
    max: 100_000,
    unit: 'minutes',
    description: 'a session that nothing is heard of for so long is ended',
  }),
})

export type Config = ConfigOf<typeof configSchema>
