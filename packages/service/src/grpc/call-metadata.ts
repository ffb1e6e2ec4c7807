import { Metadata } from '@grpc/grpc-js'
import type { LogContext } from '@millrace/logger'
import { formatTraceparent, parseTraceparent } from '@millrace/telemetry'

/** Names of the metadata that every call carries. */
const keys = {
  traceparent: 'traceparent',
  requestId: 'x-request-id',
  tenant: 'millrace-tenant',
  caller: 'millrace-caller',
} as const

/** Who calls, for whom, in which request. */
export interface CallIdentity {
  readonly tenant?: string | undefined
  /** Id of the key or user on whose behalf the call is made. */
  readonly caller?: string | undefined
  readonly requestId?: string | undefined
  readonly traceparent?: string | undefined
}

/** The metadata of an outgoing call. Ids that are not plain ASCII are sent percent-encoded, since metadata cannot hold them. */
export function toMetadata(identity: CallIdentity): Metadata {
  const metadata = new Metadata()
  for (const name of Object.keys(keys) as (keyof typeof keys)[]) {
    const value = identity[name]
    if (value !== undefined) metadata.set(keys[name], encodeURIComponent(value))
  }
  return metadata
}

export function fromMetadata(metadata: Metadata): CallIdentity {
  const read = (name: string): string | undefined => {
    const value = metadata.get(name)[0]
    return typeof value === 'string' && value !== '' ? decode(value) : undefined
  }
  return {
    tenant: read(keys.tenant),
    caller: read(keys.caller),
    requestId: read(keys.requestId),
    traceparent: read(keys.traceparent),
  }
}

/** The `traceparent` to send when tracing is off: the ids of the log context, so that log lines of all processes can be joined. */
export function traceparentOf(context: LogContext | undefined): string | undefined {
  if (context?.traceId === undefined || context.spanId === undefined) return undefined
  const header = formatTraceparent({ traceId: context.traceId, spanId: context.spanId, isSampled: false })
  return parseTraceparent(header) === undefined ? undefined : header
}

function decode(value: string): string | undefined {
  try {
    return decodeURIComponent(value)
  } catch {
    return undefined
  }
}
