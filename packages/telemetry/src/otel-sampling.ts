import { type Link, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api'
import { tracing } from '@opentelemetry/sdk-node'

const DEFAULT_RATIO = 0.1

/**
 * A sampler that still records the spans that it does not sample, so that a span that fails can be exported when it ends. A trace that begins with
 * a link to a sampled trace is sampled too; otherwise the link would lead nowhere.
 */
export function createSampler(name = 'parentbased_traceidratio', ratio = DEFAULT_RATIO): tracing.Sampler {
  const base = name.replace(/^parentbased_/, '')
  if (base === 'always_off') return new tracing.AlwaysOffSampler()
  const root = base === 'always_on' ? new tracing.AlwaysOnSampler() : new tracing.TraceIdRatioBasedSampler(ratio)
  const chosen = name.startsWith('parentbased_') ? new tracing.ParentBasedSampler({ root }) : root
  return {
    shouldSample: (...args) => {
      const [context, , , , , links] = args
      if (trace.getSpanContext(context) === undefined && links.some(isSampledLink))
        return { decision: tracing.SamplingDecision.RECORD_AND_SAMPLED }
      const result = chosen.shouldSample(...args)
      return result.decision === tracing.SamplingDecision.NOT_RECORD
        ? { ...result, decision: tracing.SamplingDecision.RECORD }
        : result
    },
    toString: () => `Recording(${chosen.toString()})`,
  }
}

/** Passes spans on to `next` and marks failed ones as sampled, so that they are exported. */
export function createErrorKeepingProcessor(next: tracing.SpanProcessor): tracing.SpanProcessor {
  return {
    onStart: (span, parentContext) => next.onStart(span, parentContext),
    onEnd: (span) => {
      const isSampled = (span.spanContext().traceFlags & TraceFlags.SAMPLED) !== 0
      next.onEnd(isSampled || span.status.code !== SpanStatusCode.ERROR ? span : asSampled(span))
    },
    forceFlush: () => next.forceFlush(),
    shutdown: () => next.shutdown(),
  }
}

function isSampledLink({ context }: Link): boolean {
  return (context.traceFlags & TraceFlags.SAMPLED) !== 0
}

function asSampled(span: tracing.ReadableSpan): tracing.ReadableSpan {
  const spanContext = { ...span.spanContext(), traceFlags: TraceFlags.SAMPLED }
  return Object.create(span, { spanContext: { value: () => spanContext } }) as tracing.ReadableSpan
}
