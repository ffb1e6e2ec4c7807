import type { CounterChild, GaugeChild, HistogramChild, MetricFamily } from './metric-families.js'
import type { Metrics } from './metrics.js'

const HTTP_LABELS = ['method', 'route', 'status'] as const

/** `route` is the pattern of the route, never the raw path, which would make one series for each id. */
export interface HttpMetrics {
  observe(labels: { method: string; route: string; status: string }, seconds: number): void
  readonly inFlight: GaugeChild
}

export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const duration = metrics.histogram({
    name: 'millrace_http_request_duration_seconds',
    help: 'Time from the first byte of an HTTP request to the last byte of its response',
    alert: 'the 99th percentile of a route exceeds its target',
    labels: HTTP_LABELS,
  })
  const requests = metrics.counter({
    name: 'millrace_http_requests_total',
    help: 'HTTP requests that ended; status is aborted when the client left before the response',
    alert: 'the share of status 5xx rises',
    labels: HTTP_LABELS,
  })
  const inFlight = metrics
    .gauge({ name: 'millrace_http_requests_in_flight', help: 'HTTP requests in progress' })
    .with({})
  return {
    observe(labels, seconds) {
      duration.with(labels).observe(seconds)
      requests.with(labels).inc()
    },
    inFlight,
  }
}

const GRPC_LABELS = ['method', 'code'] as const

/** `method` is the full name of the method, `code` the name of the gRPC status. */
export interface GrpcMetrics {
  readonly server: MetricFamily<'method' | 'code', HistogramChild>
  readonly client: MetricFamily<'method' | 'code', HistogramChild>
  /** `isUp` is called at every scrape: whether the peer answers. */
  watchPeer(peer: string, isUp: () => boolean): void
}

export function createGrpcMetrics(metrics: Metrics): GrpcMetrics {
  const peers = new Map<string, () => boolean>()
  metrics.gauge(
    {
      name: 'millrace_grpc_peer_up',
      help: 'Whether a service that this one calls answers: 0 while it refuses connections or does not answer',
      alert: '0 for a minute',
      labels: ['peer'],
    },
    (gauge) => {
      for (const [peer, isUp] of peers) gauge.with({ peer }).set(isUp() ? 1 : 0)
    },
  )
  return {
    watchPeer: (peer, isUp) => void peers.set(peer, isUp),
    server: metrics.histogram({
      name: 'millrace_grpc_server_duration_seconds',
      help: 'Time a gRPC server spent on a call',
      labels: GRPC_LABELS,
    }),
    client: metrics.histogram({
      name: 'millrace_grpc_client_duration_seconds',
      help: 'Time a gRPC client waited for the result of a call, retries included',
      labels: GRPC_LABELS,
    }),
  }
}

export interface PostgresMetrics {
  /** `operation` is the name of the statement's function, `outcome` ok or error. */
  readonly query: MetricFamily<'operation' | 'outcome', HistogramChild>
  readonly slowQueries: CounterChild
  /** Whether the server answers, for each pool. */
  readonly up: MetricFamily<'pool', GaugeChild>
  /** Connections by state: used, idle, waiting, max. */
  readonly pool: MetricFamily<'pool' | 'state', GaugeChild>
  readonly poolWait: MetricFamily<'pool', HistogramChild>
}

/** Called at every scrape, to set the gauges. */
export interface PostgresReaders {
  readonly pool: (gauge: PostgresMetrics['pool']) => void
  readonly up: (gauge: PostgresMetrics['up']) => void
}

export function createPostgresMetrics(metrics: Metrics, read?: PostgresReaders): PostgresMetrics {
  return {
    up: metrics.gauge(
      {
        name: 'millrace_postgres_up',
        help: 'Whether PostgreSQL answers: 0 while it refuses connections or does not answer',
        alert: '0 for a minute',
        labels: ['pool'],
      },
      read?.up,
    ),
    query: metrics.histogram({
      name: 'millrace_postgres_query_duration_seconds',
      help: 'Time of a PostgreSQL statement, including the wait for a connection',
      labels: ['operation', 'outcome'],
    }),
    slowQueries: metrics
      .counter({
        name: 'millrace_postgres_slow_queries_total',
        help: 'PostgreSQL statements that took longer than the limit for slow queries',
        alert: 'rises steadily',
      })
      .with({}),
    pool: metrics.gauge(
      {
        name: 'millrace_postgres_pool_connections',
        help: 'Connections of the PostgreSQL pool: used, idle, waiting callers, and the maximum',
        alert: 'waiting stays above 0 for minutes',
        labels: ['pool', 'state'],
      },
      read?.pool,
    ),
    poolWait: metrics.histogram({
      name: 'millrace_postgres_pool_wait_seconds',
      help: 'Time callers waited for a connection of the pool, failed waits included',
      labels: ['pool'],
    }),
  }
}

const REDIS_LABELS = ['connection'] as const

/** `connection` is the name that `openRedis` was given. */
export interface RedisMetrics {
  readonly commands: MetricFamily<'connection', CounterChild>
  readonly errors: MetricFamily<'connection', CounterChild>
  readonly reconnects: MetricFamily<'connection', CounterChild>
  readonly up: MetricFamily<'connection', GaugeChild>
}

export function createRedisMetrics(metrics: Metrics): RedisMetrics {
  return {
    commands: metrics.counter({
      name: 'millrace_redis_commands_total',
      help: 'Redis commands sent',
      labels: REDIS_LABELS,
    }),
    errors: metrics.counter({
      name: 'millrace_redis_errors_total',
      help: 'Redis commands that failed',
      labels: REDIS_LABELS,
    }),
    reconnects: metrics.counter({
      name: 'millrace_redis_reconnects_total',
      help: 'Attempts to reconnect to Redis',
      labels: REDIS_LABELS,
    }),
    up: metrics.gauge({
      name: 'millrace_redis_connection_up',
      help: '1 while the connection to Redis is usable, else 0',
      alert: '0 for more than a minute',
      labels: REDIS_LABELS,
    }),
  }
}

/** 0 closed, 1 half-open, 2 open. */
export interface ResilienceMetrics {
  readonly circuitState: MetricFamily<'name', GaugeChild>
  readonly circuitOpened: MetricFamily<'name', CounterChild>
  readonly retries: MetricFamily<'name', CounterChild>
}

export function createResilienceMetrics(metrics: Metrics): ResilienceMetrics {
  const labels = ['name'] as const
  return {
    circuitState: metrics.gauge({
      name: 'millrace_circuit_breaker_state',
      help: 'State of a circuit breaker: 0 closed, 1 half-open, 2 open',
      alert: '2 for more than a minute: the dependency in the label name is unreachable',
      labels,
    }),
    circuitOpened: metrics.counter({
      name: 'millrace_circuit_breaker_opened_total',
      help: 'How often a circuit breaker opened',
      labels,
    }),
    retries: metrics.counter({
      name: 'millrace_retry_attempts_total',
      help: 'Calls to dependencies that were retried',
      labels,
    }),
  }
}
