import type { Metadata } from '@grpc/grpc-js'

/** What a handler knows about its call. Log lines inside the handler get the tenant, request and trace ids automatically. */
export interface CallContext {
  readonly tenant: string | undefined
  readonly caller: string | undefined
  readonly requestId: string
  readonly traceId: string
  /** Aborted when the caller cancels, the deadline passes or the server stops. Pass it to everything that takes time. */
  readonly signal: AbortSignal
  /** Undefined for a stream whose caller set none. */
  readonly deadline: Date | undefined
  readonly metadata: Metadata
}
