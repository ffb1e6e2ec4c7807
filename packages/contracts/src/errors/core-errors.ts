import { defineErrors } from './define-errors.js'

/** Codes that every service may answer with, because the shared wiring raises them. */
export const coreErrors = defineErrors({
  INTERNAL: ['internal', 'something went wrong on our side'],
  INVALID_REQUEST: ['invalid', 'the request is not valid'],
  MALFORMED_BODY: ['invalid', 'the body cannot be parsed'],
  BODY_TOO_LARGE: ['invalid', 'the body is over the limit', { httpStatus: 413 }],
  UNSUPPORTED_ENCODING: ['invalid', 'the content encoding or character set is not supported', { httpStatus: 415 }],
  NOT_FOUND: ['not_found', 'it does not exist'],
  CONFLICT: ['conflict', 'it conflicts with the present state'],
  EXHAUSTED: ['exhausted', 'a limit was reached'],
  ROUTE_NOT_FOUND: ['not_found', 'there is nothing at this address'],
  METHOD_NOT_ALLOWED: ['invalid', 'this address does not take this method', { httpStatus: 405 }],
  UNAUTHENTICATED: ['unauthenticated', 'the caller is not known'],
  TENANT_MISSING: ['unauthenticated', 'the gRPC call carries no tenant in its metadata'],
  DENIED: ['denied', 'the caller may not do this'],
  DEADLINE_EXCEEDED: ['unavailable', 'the answer did not come in time', { httpStatus: 504 }],
  CALL_CANCELLED: ['unavailable', 'the call was cancelled', { retryable: false }],
  SHUTTING_DOWN: ['unavailable', 'the service is shutting down'],
  DEPENDENCY_TIMEOUT: ['unavailable', 'a dependency did not answer in time'],
  DEPENDENCY_CIRCUIT_OPEN: ['unavailable', 'a dependency keeps failing and is not called for a while'],
  DEPENDENCY_UNAVAILABLE: ['unavailable', 'a dependency cannot be reached'],
})
