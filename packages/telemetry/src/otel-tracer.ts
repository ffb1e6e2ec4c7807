import { formatTraceparent, parseTraceparent } from '@millrace/logger'
import type { Span as OtelSpan, SpanContext } from '@opentelemetry/api'
import {
  type Context,
  context,
  type Link,
  SpanKind as OtelKind,
  propagation,
  ROOT_CONTEXT,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { node, resources, tracing } from '@opentelemetry/sdk-node'
import { createErrorKeepingProcessor, createSampler } from './otel-sampling.js'
import type { Span, SpanAttributes, SpanKind, SpanOptions, Tracer } from './tracer.js'
import type { TracingConfig } from './tracing-config.js'

const CLOSE_TIMEOUT_MS = 5_000

const KINDS: Readonly<Record<SpanKind, OtelKind>> = {
  internal: OtelKind.INTERNAL,
  server: OtelKind.SERVER,
  client: OtelKind.CLIENT,
  producer: OtelKind.PRODUCER,
  consumer: OtelKind.CONSUMER,
}

/** Loaded by `startTracing` only when tracing is on, because the SDK takes tens of megabytes. */
export function createOtelTracer(config: TracingConfig & { readonly endpoint: string }): Tracer {
  const exporter = new OTLPTraceExporter({ url: `${config.endpoint.replace(/\/+$/, '')}/v1/traces` })
  const provider = new node.NodeTracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': config.service,
      'service.namespace': 'millrace',
      ...(config.version === undefined ? {} : { 'service.version': config.version }),
    }),
    sampler: createSampler(config.sampler, config.sampleRatio),
    spanProcessors: [createErrorKeepingProcessor(new tracing.BatchSpanProcessor(exporter))],
  })
  provider.register()
  const otel = provider.getTracer('millrace')
  return {
    isOn: true,
    withSpan: (name, attributes, fn, options = {}) => {
      const span = otel.startSpan(name, spanSettings(attributes, options), parentContext(options.parent))
      return context.with(trace.setSpan(context.active(), span), () => endWith(span, fn))
    },
    inject: () => {
      const span = trace.getSpanContext(context.active())
      return span === undefined ? undefined : toTraceparent(span)
    },
    extract: (traceparent, fn) => context.with(parentContext(traceparent), fn),
    current: () => {
      const span = trace.getSpanContext(context.active())
      return span === undefined ? undefined : { traceId: span.traceId, spanId: span.spanId }
    },
    close: (timeoutMs = CLOSE_TIMEOUT_MS) => close(provider, timeoutMs),
  }
}

function spanSettings(attributes: SpanAttributes, options: SpanOptions) {
  const links: Link[] = []
  for (const link of options.links ?? []) {
    const linked = toSpanContext(link)
    if (linked !== undefined) links.push({ context: linked })
  }
  const root = options.isRoot === true && options.parent === undefined
  return { attributes, kind: KINDS[options.kind ?? 'internal'], links, root }
}

async function endWith<T>(span: OtelSpan, fn: (span: Span) => Promise<T>): Promise<T> {
  const facade: Span = {
    setAttributes: (attributes) => void span.setAttributes(attributes),
    recordError: (error) => recordError(span, error),
    traceparent: toTraceparent(span.spanContext()),
  }
  try {
    return await fn(facade)
  } catch (error) {
    recordError(span, error)
    throw error
  } finally {
    span.end()
  }
}

/** Only the code and the class go on the span: messages may hold personal data. */
function recordError(span: OtelSpan, error: unknown): void {
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined
  const type = code ?? (error instanceof Error ? error.name : typeof error)
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR, message: type })
}

function parentContext(traceparent: string | undefined): Context {
  const parent = toSpanContext(traceparent)
  return parent === undefined ? context.active() : trace.setSpanContext(ROOT_CONTEXT, parent)
}

function toSpanContext(traceparent: string | undefined): SpanContext | undefined {
  const parsed = parseTraceparent(traceparent)
  if (parsed === undefined) return undefined
  const traceFlags = parsed.isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  return { traceId: parsed.traceId, spanId: parsed.spanId, traceFlags, isRemote: true }
}

function toTraceparent(span: SpanContext): string {
  return formatTraceparent({
    traceId: span.traceId,
    spanId: span.spanId,
    isSampled: (span.traceFlags & TraceFlags.SAMPLED) !== 0,
  })
}

async function close(provider: { shutdown(): Promise<void> }, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs)
  })
  // A collector that is down must neither keep the process from ending nor make the exit code 1.
  await Promise.race([provider.shutdown().catch(() => undefined), deadline])
  clearTimeout(timer)
  trace.disable()
  context.disable()
  propagation.disable()
}
