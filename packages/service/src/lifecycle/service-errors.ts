import { defineErrors } from '@millrace/contracts'

export const serviceErrors = defineErrors({
  PORT_IN_USE: ['unavailable', 'the port is in use', { retryable: false }],
  PORT_DENIED: ['denied', 'the port may not be opened'],
  ADDRESS_NOT_LOCAL: ['invalid', 'the address does not belong to this machine'],
  SETTINGS_CONTRADICT: ['invalid', 'settings of two services contradict each other'],
  STOPPING: ['unavailable', 'the service is stopping'],
})
