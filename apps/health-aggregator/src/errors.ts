import { defineErrors } from '@millrace/contracts'

/** What this service refuses or fails with. */
export const errors = defineErrors({
  UNKNOWN_HEALTH_LEVEL: ['invalid', 'there is no such level: use summary, system or detailed'],
  CHECK_TIMED_OUT: ['unavailable', 'the check did not end in time'],
  NOT_READY: ['unavailable', 'the service is not ready'],
  PROBE_FAILED: ['unavailable', 'the synthetic event did not come through'],
})
