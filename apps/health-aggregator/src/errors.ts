import { defineErrors } from '@millrace/contracts'

/** The error codes of this service. */
export const errors = defineErrors({
  UNKNOWN_HEALTH_LEVEL: ['invalid', 'the health level is unknown: use summary, system or detailed'],
  CHECK_TIMED_OUT: ['unavailable', 'the health check did not end in time'],
  NOT_READY: ['unavailable', 'the service is not ready'],
  PROBE_FAILED: ['unavailable', 'the synthetic event was not accepted, stored or found in time'],
})
