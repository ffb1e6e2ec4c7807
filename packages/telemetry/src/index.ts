export {
  createGrpcMetrics,
  createHttpMetrics,
  createPostgresMetrics,
  createRedisMetrics,
  createResilienceMetrics,
  type GrpcMetrics,
  type HttpMetrics,
  type PostgresMetrics,
  type RedisMetrics,
  type ResilienceMetrics,
} from './instruments.js'
export {
  type CounterChild,
  defaultSecondsBuckets,
  type GaugeChild,
  type HistogramChild,
  type HistogramSpec,
  type Labels,
  type MetricFamily,
  type MetricSpec,
} from './metric-families.js'
export { createMetrics, type Metrics, type MetricsConfig } from './metrics.js'
export { startTracing } from './start-tracing.js'
export { noopTracer, type Span, type SpanAttributes, type SpanKind, type SpanOptions, type Tracer } from './tracer.js'
export type { TracingConfig } from './tracing-config.js'
