import type { CounterChild, GaugeChild, HistogramChild, MetricFamily } from './metric-families.js'
import type { Metrics } from './metrics.js'

const httpLabels = ['method', 'route', 'status'] as const

/** `route` is the pattern of the route, never the raw path. */
export interface HttpMetrics {
  observe(labels: { method: string; route: string; status: string }, seconds: number): void
  readonly inFlight: GaugeChild
}

export function createHttpMetrics(metrics: Metrics): HttpMetrics {
  const duration = metrics.histogram({
    name: 'millrace_http_request_duration_seconds',
    help: 'Time from the first byte of a request to the last of its answer',
    labels: httpLabels,
  })
  const requests = metrics.counter({
    name: 'millrace_http_requests_total',
    help: 'Answered HTTP requests',
    labels: httpLabels,
  })
  const inFlight = metrics
    .gauge({ name: 'millrace_http_requests_in_flight', help: 'HTTP requests being worked on' })
    .with({})
  return {
    observe(labels, seconds) {
      duration.with(labels).observe(seconds)
      requests.with(labels).inc()
    },
    inFlight,
  }
}

const grpcLabels = ['method', 'code'] as const

/** `method` is the full name of the method, `code` the name of the gRPC status. */
export interface GrpcMetrics {
  readonly server: MetricFamily<'method' | 'code', HistogramChild>
  readonly client: MetricFamily<'method' | 'code', HistogramChild>
}

export function createGrpcMetrics(metrics: Metrics): GrpcMetrics {
  return {
    server: metrics.histogram({
      name: 'millrace_grpc_server_duration_seconds',
      help: 'Time spent on received calls',
      labels: grpcLabels,
    }),
    client: metrics.histogram({
      name: 'millrace_grpc_client_duration_seconds',
      help: 'Time spent on sent calls, retries included',
      labels: grpcLabels,
    }),
  }
}

export interface PostgresMetrics {
  /** `operation` is the name of the statement's function, `outcome` ok or error. */
  readonly query: MetricFamily<'operation' | 'outcome', HistogramChild>
  readonly slowQueries: CounterChild
  /** Connections by state: used, idle, waiting, max. */
  readonly pool: MetricFamily<'pool' | 'state', GaugeChild>
  readonly poolWait: MetricFamily<'pool', HistogramChild>
}

/** `readPool` is called at every scrape. */
export function createPostgresMetrics(
  metrics: Metrics,
  readPool?: (pool: PostgresMetrics['pool']) => void,
): PostgresMetrics {
  return {
    query: metrics.histogram({
      name: 'millrace_postgres_query_duration_seconds',
      help: 'Time from asking for a connection to the answer',
      labels: ['operation', 'outcome'],
    }),
    slowQueries: metrics
      .counter({ name: 'millrace_postgres_slow_queries_total', help: 'Queries over the slow query limit' })
      .with({}),
    pool: metrics.gauge(
      { name: 'millrace_postgres_pool_connections', help: 'Connections by state', labels: ['pool', 'state'] },
      readPool,
    ),
    poolWait: metrics.histogram({
      name: 'millrace_postgres_pool_wait_seconds',
      help: 'Time that callers waited for a connection, failures included',
      labels: ['pool'],
    }),
  }
}

const redisLabels = ['connection'] as const

/** `connection` is the name the connection was opened with. */
export interface RedisMetrics {
  readonly commands: MetricFamily<'connection', CounterChild>
  readonly errors: MetricFamily<'connection', CounterChild>
  readonly reconnects: MetricFamily<'connection', CounterChild>
  /** 1 while commands can be sent, else 0. */
  readonly up: MetricFamily<'connection', GaugeChild>
}

export function createRedisMetrics(metrics: Metrics): RedisMetrics {
  return {
    commands: metrics.counter({ name: 'millrace_redis_commands_total', help: 'Commands sent', labels: redisLabels }),
    errors: metrics.counter({ name: 'millrace_redis_errors_total', help: 'Commands that failed', labels: redisLabels }),
    reconnects: metrics.counter({
      name: 'millrace_redis_reconnects_total',
      help: 'Attempts to connect again',
      labels: redisLabels,
    }),
    up: metrics.gauge({
      name: 'millrace_redis_connection_up',
      help: '1 while commands can be sent',
      labels: redisLabels,
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
      help: '0 closed, 1 half-open, 2 open',
      labels,
    }),
    circuitOpened: metrics.counter({
      name: 'millrace_circuit_breaker_opened_total',
      help: 'Times the breaker opened',
      labels,
    }),
    retries: metrics.counter({ name: 'millrace_retry_attempts_total', help: 'Calls tried again', labels }),
  }
}
