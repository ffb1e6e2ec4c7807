import type { IncomingHttpHeaders } from 'node:http'
import { createSpanId, createTraceId, parseTraceparent } from '@millrace/logger'

/** The ids of one request, taken from the caller's headers or created. */
export interface RequestIds {
  readonly requestId: string
  readonly traceId: string
  readonly spanId: string
  /** The caller's header if it is valid: the parent of our span. */
  readonly traceparent: string | undefined
}

const REQUEST_ID = /^[A-Za-z0-9][\w.:-]{0,127}$/

/**
 * Takes the ids in `traceparent` and `x-request-id` if they are well formed, because they are written to logs and headers; creates new ones
 * otherwise.
 */
export function readRequestIds(headers: IncomingHttpHeaders): RequestIds {
  const header = headers.traceparent
  const parent = typeof header === 'string' ? parseTraceparent(header) : undefined
  const traceId = parent?.traceId ?? createTraceId()
  const given = headers['x-request-id']
  return {
    requestId: typeof given === 'string' && REQUEST_ID.test(given) ? given : traceId,
    traceId,
    spanId: createSpanId(),
    traceparent: parent === undefined ? undefined : (header as string),
  }
}
