/** Keys of gRPC metadata. The first four travel with every call, the last two with every error. */
export const METADATA_KEYS = {
  traceparent: 'traceparent',
  requestId: 'x-request-id',
  tenant: 'millrace-tenant',
  caller: 'millrace-caller',
  /** Our error code, see `defineErrors`. */
  errorCode: 'millrace-code',
  /** JSON with the facts that a gRPC status cannot express; `-bin` marks binary metadata. */
  errorFacts: 'millrace-error-bin',
} as const
