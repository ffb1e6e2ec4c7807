import type { Metadata } from '@grpc/grpc-js'

/** What a handler knows about its call. Log lines written inside carry tenant, request and trace ids by themselves. */
export interface CallContext {
  readonly tenant: string | undefined
  readonly caller: string | undefined
  readonly requestId: string
  readonly traceId: string
  /** Aborted when the caller gave up, the deadline passed or the server stops. Hand it on to whatever takes time. */
  readonly signal: AbortSignal
  /** Undefined for streams that were opened without one. */
  readonly deadline: Date | undefined
  readonly metadata: Metadata
}
