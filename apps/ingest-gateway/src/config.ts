import { DEFAULT_ROLLUP_DEFINITIONS } from '@millrace/rollups'
import {
  boolean,
  type ConfigOf,
  databaseSettings,
  decimal,
  defineConfig,
  integer,
  list,
  port,
  secret,
  serviceSettings,
  streamSettings,
  text,
} from '@millrace/service'

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 8081 }),
  HTTP_HOST: text({
    default: '127.0.0.1',
    description: 'address of the public HTTP server; 0.0.0.0 for every network',
  }),
  HTTP_PORT: port({ default: 8080, description: 'port of the public HTTP server' }),
  HTTP_TRUST_PROXY: boolean({ default: false, description: 'whether the addresses in X-Forwarded-For are believed' }),
  HTTP_CONNECTIONS_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'connections',
    description: 'more are closed as they come',
  }),
  HTTP_HEADERS_TIMEOUT_MS: integer({
    default: 10_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'time for the headers of a request to arrive',
  }),
  HTTP_REQUEST_TIMEOUT_MS: integer({
    default: 30_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description: 'time for a whole request to arrive',
  }),
  HTTP_HEADER_BYTES_MAX: integer({
    default: 16_384,
    min: 1024,
    max: 1_048_576,
    unit: 'bytes',
    description: 'largest headers of a request, including its URL; a cursor in the URL may come on top',
  }),
  CORS_ORIGINS: list({
    default: ['*'],
    description: 'web pages that may call from a browser; * is every one, empty is none',
  }),

  ...databaseSettings({ holds: 'keys, definitions of rollups, the gateway’s side of the ledger', connectionLimit: 5 }),

  BOOTSTRAP_WRITE_KEY: secret({
    optional: true,
    description: 'key with the scope write that the tenant default has from the first start on',
  }),
  BOOTSTRAP_ADMIN_KEY: secret({
    optional: true,
    description: 'key with all scopes that the tenant default has from the first start on',
  }),

  ...streamSettings(),
  CACHE_REDIS_URL: secret({ optional: true, description: 'Redis for limits and notices; default: STREAM_REDIS_URL' }),
  STREAM_MIN_REPLICAS: integer({
    default: 0,
    min: 0,
    max: 10,
    unit: 'replicas',
    description: 'replicas that must hold a frame before it counts as held (WAIT)',
  }),
  STREAM_LINGER_MS: decimal({
    default: 1,
    min: 0,
    max: 1000,
    unit: 'ms',
    description: 'how long a frame waits for company at low load',
  }),
  STREAM_LINGER_MAX_MS: decimal({
    default: 10,
    min: 0,
    max: 1000,
    unit: 'ms',
    description: 'what that wait grows to with the load: 1 ms for each 4,000 events/s',
  }),
  STREAM_UNACKNOWLEDGED_BYTES_MAX: integer({
    default: 67_108_864,
    min: 1_048_576,
    max: 4_294_967_296,
    unit: 'bytes',
    description: 'sent and not yet held; beyond it requests get 429',
  }),
  MILLRACE_DATA_DIR: text({ default: '.millrace', description: 'folder of the spool' }),
  SPOOL_BYTES_MAX: integer({
    default: 1_073_741_824,
    min: 0,
    max: 1_099_511_627_776,
    unit: 'bytes',
    description: 'room of the spool; 0 for none',
  }),

  SEGMENT_BODY_BYTES_MAX: integer({
    default: 512_000,
    min: 1024,
    max: 67_108_864,
    unit: 'bytes',
    description: 'largest body of /v1/batch and its kin, decompressed (500 KB)',
  }),
  EVENTS_BODY_BYTES_MAX: integer({
    default: 5_242_880,
    min: 1024,
    max: 67_108_864,
    unit: 'bytes',
    description: 'largest body of /v1/events, decompressed',
  }),
  EVENT_BYTES_MAX: integer({ default: 32_768, min: 256, max: 1_048_576, unit: 'bytes', description: 'largest event' }),
  EVENTS_PER_REQUEST_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'events',
    description: 'most events of one request',
  }),
  EVENT_DEPTH_MAX: integer({
    default: 32,
    min: 2,
    max: 1000,
    unit: 'levels',
    description: 'deepest nesting of an event',
  }),
  EVENT_KEYS_MAX: integer({
    default: 1000,
    min: 10,
    max: 100_000,
    unit: 'keys',
    description: 'most keys of an event, nested ones included',
  }),
  EVENTS_MAX_AGE_DAYS: integer({
    default: 400,
    min: 1,
    max: 36_500,
    unit: 'days',
    description: 'older events are rejected',
  }),
  EVENTS_MAX_AHEAD_HOURS: integer({
    default: 24,
    min: 1,
    max: 24,
    unit: 'hours',
    description: 'events further in the future are rejected',
  }),
  RATE_LIMIT_EVENTS_PER_SECOND: integer({
    default: 1_000_000,
    min: 1,
    max: 1_000_000_000,
    unit: 'events/s',
    description: 'what a tenant may send on average where its settings say nothing',
  }),
  RATE_LIMIT_BURST_EVENTS: integer({
    default: 2_000_000,
    min: 1,
    max: 1_000_000_000,
    unit: 'events',
    description: 'what a tenant may send at once',
  }),
  WAIT_STORED_MS: integer({
    default: 10_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    description: 'longest wait of ?wait=stored and of a receipt',
  }),
  LIVE_CONNECTIONS_MAX: integer({
    default: 256,
    min: 0,
    max: 100_000,
    unit: 'connections',
    description: 'most /api/v1/live streams of this process',
  }),
  ROLLUPS: text({
    default: JSON.stringify(DEFAULT_ROLLUP_DEFINITIONS),
    description:
      'rollup definitions besides the counts by event name, as a JSON list of {event, dimensions, property}: event "*" stands for all events, at most 3 dimensions; paths begin with properties. or context.; definitions that were ever set stay active',
  }),

  QUERY_EDGE_CACHE: boolean({
    default: false,
    description:
      'whether a CDN or proxy in front may keep answers to queries; it must tell requests apart by Authorization (Vary), see docs/decisions/0009',
  }),
  STREAM_CONSUMER_ADDRESS: text({ default: '127.0.0.1:9101', description: 'host:port of stream-consumer' }),
  ANALYTICS_QUERY_ADDRESS: text({ default: '127.0.0.1:9102', description: 'host:port of analytics-query' }),
  HEALTH_AGGREGATOR_ADDRESS: text({ default: '127.0.0.1:9105', description: 'host:port of health-aggregator' }),
})

export type Config = ConfigOf<typeof configSchema>
