import { defineErrors } from './define-errors.js'

/** Codes that every service may answer with, because shared packages raise them. */
export const coreErrors = defineErrors({
  INTERNAL: ['internal', 'the server failed unexpectedly'],
  INVALID_REQUEST: ['invalid', 'the request is not valid'],
  MALFORMED_BODY: ['invalid', 'the body cannot be parsed'],
  MALFORMED_REQUEST: ['invalid', 'the request is not valid HTTP'],
  HEADERS_TOO_LARGE: ['invalid', 'the URL and the headers together exceed the size limit', { httpStatus: 431 }],
  REQUEST_TIMEOUT: ['invalid', 'the request did not arrive in time', { httpStatus: 408, retryable: true }],
  EXPECTATION_FAILED: ['invalid', 'the only expectation that is supported is 100-continue', { httpStatus: 417 }],
  HTTP_VERSION_UNSUPPORTED: ['invalid', 'the server speaks HTTP/1.1 and HTTP/1.0', { httpStatus: 505 }],
  BODY_TOO_LARGE: ['invalid', 'the body exceeds the size limit', { httpStatus: 413 }],
  UNSUPPORTED_ENCODING: ['invalid', 'the content encoding or character set is not supported', { httpStatus: 415 }],
  NOT_FOUND: ['not_found', 'the resource does not exist'],
  CONFLICT: ['conflict', 'the request conflicts with the current state'],
  EXHAUSTED: ['exhausted', 'a limit was reached'],
  ROUTE_NOT_FOUND: ['not_found', 'the path does not exist'],
  METHOD_NOT_ALLOWED: ['invalid', 'the path does not support this method', { httpStatus: 405 }],
  UNAUTHENTICATED: ['unauthenticated', 'the caller could not be authenticated'],
  TENANT_MISSING: ['unauthenticated', 'the metadata of the gRPC call has no tenant'],
  DENIED: ['denied', 'the caller is not allowed to do this'],
  DEADLINE_EXCEEDED: ['unavailable', 'the answer was not ready in time'],
  CALL_CANCELLED: ['unavailable', 'the call was cancelled', { retryable: false }],
  SHUTTING_DOWN: ['unavailable', 'the service is shutting down'],
  DEPENDENCY_TIMEOUT: ['unavailable', 'a dependency did not answer in time'],
  DEPENDENCY_CIRCUIT_OPEN: ['unavailable', 'the circuit breaker of a dependency is open after repeated failures'],
  DEPENDENCY_UNAVAILABLE: ['unavailable', 'a dependency cannot be reached'],
})
