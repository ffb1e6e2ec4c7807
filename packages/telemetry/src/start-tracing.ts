import { noopTracer, type Tracer } from './tracer.js'
import type { TracingConfig } from './tracing-config.js'

/**
 * The tracer of a process: a no-op without an endpoint, and then nothing of OpenTelemetry's SDK is loaded.
 *
 * Sampling is decided at the head of a trace. Besides, every span that fails is exported even if its trace was not chosen: spans that are not
 * sampled are recorded all the same and thrown away when they end well. A failure travels up the stack, so its whole chain of failed spans
 * is there; siblings that ended well, and other processes that saw no failure, are not.
 */
export async function startTracing(config: TracingConfig): Promise<Tracer> {
  if (config.endpoint === undefined || config.endpoint === '') return noopTracer
  const { createOtelTracer } = await import('./otel-tracer.js')
  return createOtelTracer({ ...config, endpoint: config.endpoint })
}
