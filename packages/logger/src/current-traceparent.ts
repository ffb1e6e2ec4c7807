import { currentContext } from './log-context.js'
import { createSpanId, formatTraceparent } from './traceparent.js'

const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/

/** The `traceparent` header for a call that is made while a request is answered, or undefined outside of a request. */
export function currentTraceparent(): string | undefined {
  const context = currentContext()
  if (context?.traceId === undefined || !TRACE_ID.test(context.traceId)) return undefined
  return formatTraceparent({ traceId: context.traceId, spanId: context.spanId ?? createSpanId(), isSampled: true })
}
