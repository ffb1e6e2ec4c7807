/** The class of an error, by what a caller can do about it. It decides HTTP status, gRPC status, log level and whether to retry. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'denied'
  | 'not_found'
  | 'conflict'
  | 'exhausted'
  | 'unavailable'
  | 'internal'

/** How errors of one kind are reported. */
export interface KindTraits {
  readonly httpStatus: number
  /** Number of the gRPC status, https://grpc.io/docs/guides/status-codes/ */
  readonly grpcStatus: number
  /** debug for rejections, which are normal traffic; warn when nothing was lost; error when a person must act. */
  readonly logLevel: 'debug' | 'warn' | 'error'
  /** Whether the same request may succeed when it is sent again unchanged. */
  readonly retryable: boolean
}

/** The traits of each kind, the only table that decides HTTP status, gRPC status, log level and retry. */
export const KIND_TRAITS: Readonly<Record<ErrorKind, KindTraits>> = {
  invalid: { httpStatus: 400, grpcStatus: 3, logLevel: 'debug', retryable: false },
  unauthenticated: { httpStatus: 401, grpcStatus: 16, logLevel: 'debug', retryable: false },
  denied: { httpStatus: 403, grpcStatus: 7, logLevel: 'debug', retryable: false },
  not_found: { httpStatus: 404, grpcStatus: 5, logLevel: 'debug', retryable: false },
  conflict: { httpStatus: 409, grpcStatus: 10, logLevel: 'debug', retryable: false },
  exhausted: { httpStatus: 429, grpcStatus: 8, logLevel: 'debug', retryable: true },
  unavailable: { httpStatus: 503, grpcStatus: 14, logLevel: 'warn', retryable: true },
  internal: { httpStatus: 500, grpcStatus: 13, logLevel: 'error', retryable: false },
}

/** Kinds by gRPC status, for errors of peers that have none of our codes. 1 is CANCELLED, 4 is DEADLINE_EXCEEDED. */
const kindsByGrpcStatus: Readonly<Record<number, ErrorKind>> = {
  1: 'unavailable',
  3: 'invalid',
  4: 'unavailable',
  5: 'not_found',
  6: 'conflict',
  7: 'denied',
  8: 'exhausted',
  9: 'conflict',
  10: 'conflict',
  11: 'invalid',
  14: 'unavailable',
  16: 'unauthenticated',
}

/** The kind of a gRPC status; `internal` for statuses that a caller cannot act on. */
export function kindOfGrpcStatus(status: number): ErrorKind {
  return kindsByGrpcStatus[status] ?? 'internal'
}
