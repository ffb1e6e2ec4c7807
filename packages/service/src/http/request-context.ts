import type { IncomingHttpHeaders } from 'node:http'
import { createSpanId, createTraceId, parseTraceparent } from '@millrace/telemetry'

/** The ids of one request, accepted from the caller or made. */
export interface RequestIds {
  readonly requestId: string
  readonly traceId: string
  readonly spanId: string
  /** What the caller sent, when it is valid; the parent of our span. */
  readonly traceparent: string | undefined
}

const acceptable = /^[A-Za-z0-9][\w.:-]{0,127}$/

/**
 * Takes the trace id of `traceparent` and the id of `x-request-id` when they are well formed, since they end up in logs and headers; makes
 * new ones otherwise.
 */
export function readRequestIds(headers: IncomingHttpHeaders): RequestIds {
  const header = headers.traceparent
  const parent = typeof header === 'string' ? parseTraceparent(header) : undefined
  const traceId = parent?.traceId ?? createTraceId()
  const given = headers['x-request-id']
  return {
    requestId: typeof given === 'string' && acceptable.test(given) ? given : traceId,
    traceId,
    spanId: createSpanId(),
    traceparent: parent === undefined ? undefined : (header as string),
  }
}
