import { type Link, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api'
import { tracing } from '@opentelemetry/sdk-node'

const defaultRatio = 0.1

/**
 * A sampler that keeps what it does not choose as recorded, so that a failing span is still there when it ends. A trace that begins with links to
 * sampled ones is chosen, or nobody could follow them on.
 */
export function createSampler(name = 'parentbased_traceidratio', ratio = defaultRatio): tracing.Sampler {
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

/** Passes on sampled spans as they are, and failed ones as if they had been sampled. */
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
