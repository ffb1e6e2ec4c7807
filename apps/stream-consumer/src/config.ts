import { EVENTS_STORE_GROUP, HOUR_MS } from '@millrace/contracts'
import { COARSE_LEVELS, type CoarseLevel, MINUTE_LEVEL, type RollupLevel } from '@millrace/rollups'
import {
  type ConfigOf,
  cacheRedisRule,
  checkRedisUrl,
  checkRules,
  choice,
  databaseSettings,
  decimal,
  defineConfig,
  eventTimeSettings,
  eventTimesRule,
  host,
  integer,
  mirrorRule,
  mirrorSettings,
  name,
  port,
  redisReplicasRule,
  type Setting,
  secret,
  serviceSettings,
  streamRules,
  streamSettings,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 10_101 }),
  GRPC_HOST: host({
    default: '127.0.0.1',
    description: 'bind address of the gRPC server; callers are not authenticated, do not expose it',
  }),
  GRPC_PORT: port({ default: 9101, description: 'port of the gRPC server' }),

  ...databaseSettings({
    holds: 'events, journal, rollups, positions',
    connectionLimit: 5,
    poolNote: ', besides the connection that stores batches',
  }),

  ...streamSettings(),
  ...mirrorSettings(),
  KAFKA_MIRROR_START: choice(['now', 'beginning'], {
    default: 'now',
    description:
      'which events are mirrored first when nothing was written to KAFKA_MIRROR_TOPIC yet; now: those stored from now on; beginning: the oldest that are still kept',
  }),
  KAFKA_MIRROR_PARTITIONS: integer({
    default: 16,
    min: 1,
    max: 10_000,
    unit: 'partitions',
    description: 'number of partitions with which KAFKA_MIRROR_TOPIC is created; a topic that exists keeps its own',
  }),
  STREAM_GROUP: name({
    default: EVENTS_STORE_GROUP,
    description: 'consumer group; its positions are rows of stream_partitions',
  }),
  CACHE_REDIS_URL: secret({
    check: checkRedisUrl,
    optional: true,
    description: 'Redis for messages about commits, late events and live counts; default: STREAM_REDIS_URL',
  }),
  STREAM_MIN_REPLICAS: integer({
    default: 0,
    min: 0,
    max: 10,
    unit: 'replicas',
    description: 'Redis replicas that must acknowledge a replayed dead letter (WAIT)',
  }),

  BATCH_RECORDS_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'records',
    description: 'approximate maximum of records in one transaction',
  }),
  BATCH_FRAMES_MAX: integer({
    default: 500,
    min: 1,
    max: 100_000,
    unit: 'frames',
    description: 'maximum of frames in one transaction',
  }),
  BATCH_BYTES_MAX: integer({
    default: 16_777_216,
    min: 1024,
    max: 1_073_741_824,
    unit: 'bytes',
    description: 'approximate maximum of payload bytes in one transaction',
  }),
  BATCH_LINGER_MS: decimal({
    default: 10,
    min: 0,
    max: 10_000,
    unit: 'ms',
    description: 'how long a batch waits for more frames at low load',
  }),
  STREAM_BLOCK_MS: integer({
    default: 5000,
    min: 10,
    max: 60_000,
    unit: 'ms',
    description: 'longest time that one read of the stream waits for new frames',
  }),
  LEASE_MS: integer({
    default: 30_000,
    min: 500,
    max: 600_000,
    unit: 'ms',
    description:
      'a consumer that has not renewed its lease for this time loses its partitions; with STREAM_DRIVER kafka also session.timeout.ms of the consumer, which the brokers limit (6,000 to 1,800,000 by default)',
  }),
  KAFKA_GROUP_INSTANCE_ID: name({
    optional: true,
    description:
      'with STREAM_DRIVER kafka: group.instance.id of this process, for static membership; each running process needs a different one; a restart within LEASE_MS then moves no partitions; default: none',
  }),
  STREAM_STALL_MS: integer({
    default: 30_000,
    min: 1000,
    max: HOUR_MS,
    unit: 'ms',
    description:
      'when a partition has unread frames and reads return none of them for this time, the consumer opens a new reader; after the same time again it leaves its group, and after that it raises an alarm',
  }),
  STREAM_WINDOW_RECORDS: integer({
    default: 10_000_000,
    min: 1,
    max: 1_000_000_000_000,
    unit: 'records',
    description: 'consumed frames are trimmed from the stream when more than this number of records follow them',
  }),
  STREAM_WINDOW_DAYS: decimal({
    default: 30,
    min: 0.001,
    max: 3650,
    unit: 'days',
    description: 'consumed frames are trimmed from the stream when they are older than this',
  }),
  // Costs one row of about 100 bytes for each partition and gateway process. Frames that a spool sends later than
  // this count as lost.
  STREAM_PRODUCER_DAYS: decimal({
    default: 180,
    min: 0.001,
    max: 3650,
    unit: 'days',
    description:
      'the sequence numbers of a gateway process are kept for this time after its last frame, at least for STREAM_WINDOW_DAYS',
  }),
  // Below the 0.88 from which a gateway that has rejected events accepts them again.
  STREAM_TRIM_MEMORY_SHARE: decimal({
    default: 0.5,
    min: 0.05,
    max: 0.8,
    description:
      'above this share of maxmemory of Redis, consumed frames are trimmed before STREAM_WINDOW_* ask for it; the gateway rejects events above 0.9',
  }),

  DEDUP_WINDOW_HOURS: decimal({
    default: 24,
    min: 0.001,
    max: 1000,
    unit: 'hours',
    description: 'how long a message id is remembered; a record with a remembered id is a duplicate',
  }),
  // 25 bytes an id: a quarter of a gigabyte when 10 million events lie in the window.
  DEDUP_IDS_MAX: integer({
    default: 10_000_000,
    min: 1000,
    max: 1_000_000_000,
    unit: 'ids',
    description:
      'maximum of message ids that this process remembers; beyond it the oldest are forgotten early, see millrace_dedup_window_covered_seconds',
  }),

  ROLLUP_FLUSH_MS: integer({
    default: 1000,
    min: 10,
    max: 60_000,
    unit: 'ms',
    description: 'under load, the rollups of a partition are written at this interval',
  }),
  ROLLUP_EAGER_BYTES_PER_SECOND: integer({
    default: 250_000,
    min: 0,
    max: 1_000_000_000,
    unit: 'bytes/s',
    description: 'at low load, rollups are written with every commit up to this rate',
  }),
  ROLLUP_EAGER_PAUSE_MS: integer({
    default: 200,
    min: 0,
    max: 60_000,
    unit: 'ms',
    description: 'at low load, shortest time between two writes of the rollups of one partition',
  }),
  ROLLUP_CELLS_MAX: integer({
    default: 50_000,
    min: 100,
    max: 10_000_000,
    unit: 'cells',
    description:
      'approximate maximum of rollups in memory, one for each series and minute; one with many users takes up to 20 KB',
  }),
  ROLLUP_SERIES_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'series',
    description: 'maximum of series for each tenant and rollup definition; further values are counted as $overflow',
  }),
  ROLLUP_COMPACT_MS: integer({
    default: 5000,
    min: 100,
    max: HOUR_MS,
    unit: 'ms',
    description: 'how often the compactor rebuilds coarser rollup windows that have changed',
  }),

  ...eventTimeSettings(),
  // 1.5 million rows of 300 bytes have a user index of 60 MB, which fits the processor's caches and PostgreSQL's
  // buffers.
  EVENTS_SEGMENT_MB: integer({
    default: 512,
    min: 1,
    max: 1_000_000,
    unit: 'MB',
    description:
      'events of a day continue in a new table once the newest one has this size and a fifth of the bytes of the day',
  }),
  ...rollupRetentionSettings(),
  SESSION_IDLE_MINUTES: decimal({
    default: 30,
    min: 0.01,
    max: 100_000,
    unit: 'minutes',
    description: 'a session without events for this time is ended',
  }),
}).superRefine(
  checkRules(
    eventTimesRule,
    mirrorRule,
    ...streamRules,
    cacheRedisRule('notices between services need'),
    redisReplicasRule,
  ),
)

export type Config = ConfigOf<typeof configSchema>

type RollupRetentionSetting<Name extends string = CoarseLevel['name']> = `ROLLUP_${Uppercase<Name>}_RETENTION_DAYS`

/** The setting that decides how long the windows of a level are kept. */
export function rollupRetentionSetting(name: CoarseLevel['name']): RollupRetentionSetting {
  return `ROLLUP_${name.toUpperCase() as Uppercase<typeof name>}_RETENTION_DAYS`
}

function rollupRetentionSettings(): Record<RollupRetentionSetting, Setting<number>> {
  const settings = COARSE_LEVELS.map(({ name, seconds, finer, keptDays, keptDaysMin }) => [
    rollupRetentionSetting(name),
    integer({
      default: keptDays,
      min: keptDaysMin,
      max: 36_500,
      unit: 'days',
      description: `how long rollup windows of ${widthText(seconds)} are kept; at least as long as ${finerSetting(finer)}`,
    }),
  ])
  return Object.fromEntries(settings) as Record<RollupRetentionSetting, Setting<number>>
}

function finerSetting({ name }: RollupLevel): string {
  return name === MINUTE_LEVEL.name ? 'EVENTS_RETENTION_DAYS' : rollupRetentionSetting(name)
}

function widthText(seconds: number): string {
  if (seconds >= 86_400) return `${seconds / 86_400} day`
  return seconds >= 3600 ? `${seconds / 3600} hour` : `${seconds / 60} minutes`
}
