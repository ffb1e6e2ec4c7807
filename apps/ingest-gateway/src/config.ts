import { HOUR_MS } from '@millrace/contracts'
import { DEFAULT_ROLLUP_DEFINITIONS, parseRollupDefinitions } from '@millrace/rollups'
import {
  address,
  atMostRule,
  boolean,
  type ConfigOf,
  cacheRedisRule,
  checkRedisUrl,
  checkRules,
  choice,
  databaseSettings,
  defineConfig,
  eventTimeSettings,
  eventTimesRule,
  host,
  integer,
  list,
  port,
  producerSettings,
  redisReplicasRule,
  secret,
  serviceSettings,
  streamRules,
  streamSettings,
  text,
  url,
} from '@millrace/service'

/** Which requests describe the device of the user: no request, requests of browsers, or all requests. */
const CLIENT_CONTEXTS = ['off', 'browsers', 'all'] as const
/** A value of EVENTS_CLIENT_CONTEXT. */
export type ClientContext = (typeof CLIENT_CONTEXTS)[number]

function findRollupsProblem(value: string): string | undefined {
  try {
    parseRollupDefinitions(value)
    return undefined
  } catch (error) {
    return `must be a JSON list of rollup definitions (${(error as Error).message.replace(/\s+/g, ' ')})`
  }
}

export const configSchema = defineConfig({
  ...serviceSettings({ adminPort: 8081 }),
  HTTP_HOST: host({
    default: '127.0.0.1',
    description: 'address on which the public HTTP server listens; 0.0.0.0 listens on every network',
  }),
  HTTP_PORT: port({ default: 8080, description: 'port of the public HTTP server' }),
  HTTP_PUBLIC_URL: url({
    optional: true,
    protocols: ['http:', 'https:'],
    description:
      'URL under which clients reach the gateway, for the settings that Segment’s SDKs load; set it behind a proxy that ends TLS; default: the host that the request names',
  }),
  HTTP_TRUST_PROXY: boolean({
    default: false,
    description: 'whether to trust the client addresses in X-Forwarded-For; only behind a proxy that sets it',
  }),
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
  HTTP_HEADER_BYTES_MAX: integer({
    default: 16_384,
    min: 1024,
    max: 1_048_576,
    unit: 'bytes',
    description: 'maximum size of the headers of a request including its URL, not counting a cursor in the URL',
  }),
  CORS_ORIGINS: list({
    default: ['*'],
    items: {
      are: '* or origins such as https://example.com',
      isValid: (item) => item === '*' || /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/i.test(item),
    },
    description: 'origins of web pages that may call from a browser; * allows every page, an empty value none',
  }),

  ...databaseSettings({ holds: 'keys, rollup definitions and the gateway’s side of the ledger', connectionLimit: 5 }),

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
  BOOTSTRAP_WRITE_KEY: secret({
    optional: true,
    description: 'write key that the first start creates for the tenant default',
  }),
  BOOTSTRAP_ADMIN_KEY: secret({
    optional: true,
    description: 'key with all scopes that the first start creates for the tenant default',
  }),

  ...streamSettings(),
  CACHE_REDIS_URL: secret({
    optional: true,
    check: checkRedisUrl,
    description: 'Redis for rate limits and for notices between services; default: STREAM_REDIS_URL',
  }),
  ...producerSettings({ records: 'events' }),

  SEGMENT_BODY_BYTES_MAX: integer({
    default: 4_194_304,
    min: 1024,
    max: 67_108_864,
    unit: 'bytes',
    description:
      'maximum body of Segment’s and RudderStack’s paths (/v1/batch, /v1/track, …) after decompression; Segment’s SDKs send up to 500 KB, RudderStack’s up to 4,000 KB',
  }),
  EVENTS_BODY_BYTES_MAX: integer({
    default: 5_242_880,
    min: 1024,
    max: 67_108_864,
    unit: 'bytes',
    description: 'maximum body of /v1/events and /v1/cloudevents after decompression',
  }),
  EVENT_BYTES_MAX: integer({
    default: 262_144,
    min: 256,
    max: 1_048_576,
    unit: 'bytes',
    description: 'maximum size of one event; what a larger one costs is in docs/decisions/0032',
  }),
  EVENTS_PER_REQUEST_MAX: integer({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    unit: 'events',
    description: 'maximum number of events in one request',
  }),
  EVENT_DEPTH_MAX: integer({
    default: 64,
    min: 2,
    max: 1000,
    unit: 'levels',
    description: 'maximum nesting of an event',
  }),
  EVENT_KEYS_MAX: integer({
    default: 10_000,
    min: 10,
    max: 100_000,
    unit: 'keys',
    description: 'maximum number of keys in an event, including nested ones',
  }),
  ...eventTimeSettings(),
  EVENTS_MAX_AHEAD_HOURS: integer({
    default: 24,
    min: 1,
    max: 24,
    unit: 'hours',
    description: 'events whose time is further in the future are rejected',
  }),
  EVENTS_CLOCK_ERROR_MAX_HOURS: integer({
    default: 24,
    min: 0,
    max: 720,
    unit: 'hours',
    description:
      'largest difference between sentAt and the time of receipt that is taken for an error of the client’s clock and corrected; beyond it events keep their own time, as old requests that are sent again need it; 0 corrects nothing',
  }),
  EVENTS_CLIENT_CONTEXT: choice(CLIENT_CONTEXTS, {
    default: 'browsers',
    description:
      'which requests fill in missing values of context.ip and context.userAgent: requests of browsers (with an Origin or Sec-Fetch-Site header, or for an image), all requests, or no request (off); HTTP_TRUST_PROXY decides which address is used',
  }),
  EVENTS_TRUNCATE_IP: boolean({
    default: false,
    description:
      'whether context.ip is stored without its last part, also if the client sent it: IPv4 keeps 24 bits, IPv6 48',
  }),
  RATE_LIMIT_EVENTS_PER_SECOND: integer({
    default: 1_000_000,
    min: 1,
    max: 1_000_000_000,
    unit: 'events/s',
    description: 'average rate that a tenant may send, unless its own settings have a rate',
  }),
  RATE_LIMIT_BURST_EVENTS: integer({
    default: 2_000_000,
    min: 1,
    max: 1_000_000_000,
    unit: 'events',
    description: 'number of events that a tenant may send at once, unless its own settings have a burst',
  }),
  WAIT_STORED_MS: integer({
    default: 10_000,
    min: 100,
    max: 60_000,
    unit: 'ms',
    description: 'longest time that a request with ?wait=stored, or a request for a receipt, waits',
  }),
  REJECTIONS_KEPT: integer({
    default: 1000,
    min: 0,
    max: 100_000,
    unit: 'rejections',
    description:
      'how many of the most recent rejections of each tenant GET /api/v1/rejections lists; each takes up to 4 KiB of the cache Redis; 0 keeps none',
  }),
  REJECTIONS_KEPT_HOURS: integer({
    default: 72,
    min: 1,
    max: 8760,
    unit: 'hours',
    description: 'how long a rejection is kept',
  }),
  REJECTIONS_KEPT_PER_SECOND: integer({
    default: 2,
    min: 1,
    max: 1000,
    unit: 'rejections/s',
    description:
      'how many rejections with the same code of one tenant each gateway keeps, on average; 50 times as many after a pause; all others are only counted',
  }),
  LIVE_TICKET_SECONDS: integer({
    default: 60,
    min: 5,
    max: 3600,
    unit: 's',
    description: 'how long a ticket of POST /api/v1/live/tickets opens live streams; open streams go on afterwards',
  }),
  LIVE_CONNECTIONS_MAX: integer({
    default: 256,
    min: 0,
    max: 100_000,
    unit: 'connections',
    description: 'maximum open /api/v1/live streams of this process',
  }),
  ROLLUPS: text({
    check: findRollupsProblem,
    default: JSON.stringify(DEFAULT_ROLLUP_DEFINITIONS),
    description:
      'rollup definitions besides the counts by event name, as a JSON list of {event, dimensions, property}: event "*" stands for all events, at most 3 dimensions; paths begin with properties. or context.; definitions that were ever set stay active',
  }),

  QUERY_DEADLINE_MS: integer({
    default: 15_000,
    min: 500,
    max: 25_000,
    unit: 'ms',
    description:
      'longest time that a query or a list of events takes; then the request gets 503 with Retry-After. Below QUERY_TIMEOUT_MS of analytics-query, it also ends their statements',
  }),
  QUERY_EDGE_CACHE: boolean({
    default: false,
    description:
      'whether a CDN or proxy in front may cache query answers; it must keep a separate answer for each Authorization header (Vary), see docs/decisions/0009',
  }),
  STREAM_CONSUMER_ADDRESS: address({
    default: '127.0.0.1:9101',
    description: 'address of stream-consumer as host:port',
  }),
  LOG_SHIPPER_ADDRESS: address({
    default: '127.0.0.1:9103',
    description: 'address of log-shipper’s gRPC server as host:port',
  }),
  LOG_SHIPPER_URL: url({
    default: 'http://127.0.0.1:4318',
    protocols: ['http:'],
    description: 'URL of log-shipper’s HTTP server, to which requests with log lines are passed on',
  }),
  LOG_SHIPPER_TIMEOUT_MS: integer({
    default: 10_000,
    min: 100,
    max: 600_000,
    unit: 'ms',
    description:
      'how long log-shipper may take no bytes of a request with log lines, or not answer it; then the client gets 503 and sends it again',
  }),
  ANALYTICS_QUERY_ADDRESS: address({
    default: '127.0.0.1:9102',
    description: 'address of analytics-query as host:port',
  }),
  HEALTH_AGGREGATOR_ADDRESS: address({
    default: '127.0.0.1:9105',
    description: 'address of health-aggregator as host:port',
  }),
}).superRefine(
  checkRules(
    eventTimesRule,
    // Node refuses to start a server with them the other way round.
    atMostRule('HTTP_HEADERS_TIMEOUT_MS', 'HTTP_REQUEST_TIMEOUT_MS'),
    atMostRule('STREAM_LINGER_MS', 'STREAM_LINGER_MAX_MS'),
    ...streamRules,
    cacheRedisRule('rate limits and notices between services need'),
    redisReplicasRule,
  ),
)

export type Config = ConfigOf<typeof configSchema>
