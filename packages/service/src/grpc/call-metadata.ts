import { Metadata } from '@grpc/grpc-js'
import { METADATA_KEYS } from '@millrace/contracts'
import type { LogContext } from '@millrace/logger'
import { formatTraceparent, parseTraceparent } from '@millrace/logger'

const IDENTITY = ['traceparent', 'requestId', 'tenant', 'caller'] as const

/** Who makes a call, for which tenant, in which request. */
export interface CallIdentity {
  readonly tenant?: string | undefined
  /** Id of the API key or user for whom the call is made. */
  readonly caller?: string | undefined
  readonly requestId?: string | undefined
  readonly traceparent?: string | undefined
}

/** The metadata of an outgoing call. Values are percent-encoded, because metadata can hold ASCII only. */
export function toMetadata(identity: CallIdentity): Metadata {
  const metadata = new Metadata()
  for (const name of IDENTITY) {
    const value = identity[name]
    if (value !== undefined) metadata.set(METADATA_KEYS[name], encodeURIComponent(value))
  }
  return metadata
}

/** The identity of a call from its metadata; empty and missing values are undefined. */
export function fromMetadata(metadata: Metadata): CallIdentity {
  const read = (name: string): string | undefined => {
    const value = metadata.get(name)[0]
    return typeof value === 'string' && value !== '' ? decode(value) : undefined
  }
  return {
    tenant: read(METADATA_KEYS.tenant),
    caller: read(METADATA_KEYS.caller),
    requestId: read(METADATA_KEYS.requestId),
    traceparent: read(METADATA_KEYS.traceparent),
  }
}

/** The `traceparent` to send while tracing is off: the ids of the log context, so that log lines of all processes share them. */
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
