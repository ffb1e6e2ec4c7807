import { status as grpcStatus, Metadata, type ServiceError, type StatusObject } from '@grpc/grpc-js'
import {
  coreErrors,
  type ErrorFactory,
  type ErrorKind,
  KIND_TRAITS,
  kindOfGrpcStatus,
  METADATA_KEYS,
  MillraceError,
  toMillraceError,
} from '@millrace/contracts'
import { encodeRetryInfo } from './retry-info.js'

/** The parts of an error for which a gRPC status has no field. */
interface ErrorFacts {
  readonly retryable?: boolean
  readonly retryAfterSeconds?: number
  readonly httpStatus?: number
  readonly details?: Record<string, unknown>
}

/** Error codes with a specific gRPC status. */
const STATUS_BY_CODE: Readonly<Record<string, number>> = {
  [coreErrors.DEADLINE_EXCEEDED.code]: grpcStatus.DEADLINE_EXCEEDED,
  [coreErrors.CALL_CANCELLED.code]: grpcStatus.CANCELLED,
}

/** The standard key for a google.rpc.Status in metadata. */
const STATUS_DETAILS = 'grpc-status-details-bin'

/**
 * The gRPC status of an error, with our code in `millrace-code`, and with a RetryInfo when it says when to try again. The message and details of an
 * internal error are not sent.
 */
export function toStatus(error: unknown): StatusObject {
  const known = toMillraceError(error)
  const { retryable, retryAfterSeconds, httpStatus } = known
  const isInternal = known.kind === 'internal'
  const facts = { retryable, retryAfterSeconds, httpStatus, ...(isInternal ? {} : { details: known.details }) }
  const metadata = new Metadata()
  metadata.set(METADATA_KEYS.errorCode, known.code)
  metadata.set(METADATA_KEYS.errorFacts, Buffer.from(JSON.stringify(facts)))
  const code = STATUS_BY_CODE[known.code] ?? KIND_TRAITS[known.kind].grpcStatus
  const text = isInternal ? coreErrors.INTERNAL().message : known.message
  if (retryable && retryAfterSeconds !== undefined)
    metadata.set(STATUS_DETAILS, encodeRetryInfo({ code, details: text, retryAfterSeconds }))
  return { code, details: text, metadata }
}

const CODE_BY_KIND: Readonly<Record<ErrorKind, ErrorFactory>> = {
  invalid: coreErrors.INVALID_REQUEST,
  unauthenticated: coreErrors.UNAUTHENTICATED,
  denied: coreErrors.DENIED,
  not_found: coreErrors.NOT_FOUND,
  conflict: coreErrors.CONFLICT,
  exhausted: coreErrors.EXHAUSTED,
  unavailable: coreErrors.DEPENDENCY_UNAVAILABLE,
  internal: coreErrors.INTERNAL,
}

/** The error for a status that a peer returned, with the peer's error code if it sent one. `peer` is its name, for messages. */
export function fromStatus(error: ServiceError, peer: string): MillraceError {
  const code = error.metadata?.get(METADATA_KEYS.errorCode)[0]
  const kind = kindOfGrpcStatus(error.code)
  if (typeof code === 'string') {
    const { retryable, retryAfterSeconds, httpStatus, details } = readFacts(error)
    return new MillraceError({
      code,
      kind,
      message: error.details,
      cause: error,
      retryable,
      retryAfterSeconds,
      httpStatus,
      details,
    })
  }
  const details = { peer }
  if (error.code === grpcStatus.DEADLINE_EXCEEDED)
    return coreErrors.DEADLINE_EXCEEDED({ message: `${peer} did not answer in time`, cause: error, details })
  if (error.code === grpcStatus.CANCELLED) return coreErrors.CALL_CANCELLED({ cause: error, details })
  if (error.code === grpcStatus.UNAVAILABLE)
    return coreErrors.DEPENDENCY_UNAVAILABLE({ message: `${peer} cannot be reached`, cause: error, details })
  // A status without our code comes from the transport, for example because a message is too large. A retry would not help.
  return CODE_BY_KIND[kind]({ message: `${peer}: ${error.details}`, cause: error, details, retryable: false })
}

/** Whether the peer sent the code of `error`, which was made by fromStatus; otherwise the error comes from the transport. */
export function hasOwnCode({ cause }: MillraceError): boolean {
  return (
    cause instanceof Error &&
    'metadata' in cause &&
    (cause.metadata as Metadata).get(METADATA_KEYS.errorCode).length > 0
  )
}

function readFacts(error: ServiceError): ErrorFacts {
  const raw = error.metadata.get(METADATA_KEYS.errorFacts)[0]
  try {
    return raw instanceof Buffer ? (JSON.parse(raw.toString()) as ErrorFacts) : {}
  } catch {
    return {}
  }
}
