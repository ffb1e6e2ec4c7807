import { noopTracer, type Tracer } from './tracer.js'
import type { TracingConfig } from './tracing-config.js'

/**
 * The tracer of a process. Without an endpoint it does nothing, and OpenTelemetry's SDK is not loaded.
 *
 * Whether a trace is sampled is decided at its first span. A span that fails is exported in any case: spans that are not sampled are recorded too,
 * and dropped when they end without an error. An error passes through all callers, so the whole chain of failed spans is exported; successful
 * siblings, and spans of other processes that saw no error, are missing.
 */
export async function startTracing(config: TracingConfig): Promise<Tracer> {
  if (config.endpoint === undefined || config.endpoint === '') return noopTracer
  const { createOtelTracer } = await import('./otel-tracer.js')
  return createOtelTracer({ ...config, endpoint: config.endpoint })
}
