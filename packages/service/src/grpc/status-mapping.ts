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

/** What does not fit into a gRPC status. */
interface ErrorFacts {
  readonly retryable?: boolean
  readonly retryAfterSeconds?: number
  readonly httpStatus?: number
  readonly details?: Record<string, unknown>
}

/** Codes for which gRPC has a status of its own. */
const statusesByCode: Readonly<Record<string, number>> = {
  [coreErrors.DEADLINE_EXCEEDED.code]: grpcStatus.DEADLINE_EXCEEDED,
  [coreErrors.CALL_CANCELLED.code]: grpcStatus.CANCELLED,
}

/** The gRPC status of an error, with our code in `millrace-code`. The message of an internal error stays on this side. */
export function toStatus(error: unknown): StatusObject {
  const known = toMillraceError(error)
  const { retryable, retryAfterSeconds, httpStatus } = known
  const isInternal = known.kind === 'internal'
  const facts = { retryable, retryAfterSeconds, httpStatus, ...(isInternal ? {} : { details: known.details }) }
  const metadata = new Metadata()
  metadata.set(METADATA_KEYS.errorCode, known.code)
  metadata.set(METADATA_KEYS.errorFacts, Buffer.from(JSON.stringify(facts)))
  return {
    code: statusesByCode[known.code] ?? KIND_TRAITS[known.kind].grpcStatus,
    details: isInternal ? coreErrors.INTERNAL().message : known.message,
    metadata,
  }
}

const codesByKind: Readonly<Record<ErrorKind, ErrorFactory>> = {
  invalid: coreErrors.INVALID_REQUEST,
  unauthenticated: coreErrors.UNAUTHENTICATED,
  denied: coreErrors.DENIED,
  not_found: coreErrors.NOT_FOUND,
  conflict: coreErrors.CONFLICT,
  exhausted: coreErrors.EXHAUSTED,
  unavailable: coreErrors.DEPENDENCY_UNAVAILABLE,
  internal: coreErrors.INTERNAL,
}

/** The error that a peer's status stands for: the peer's own code where it sent one. `peer` is its name, for messages. */
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
  // Without a code of ours the status comes from the transport, such as a message over its limit: sending it again would not help.
  return codesByKind[kind]({ message: `${peer}: ${error.details}`, cause: error, details, retryable: false })
}

/** Whether `error`, made by fromStatus, has a code that the peer sent; else it comes from the transport. */
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
