import { defineErrors } from '@millrace/contracts'

export const spoolErrors = defineErrors({
  SPOOL_FULL: ['unavailable', 'the spool has no room'],
  SPOOL_LOCKED: ['conflict', 'another process uses this spool directory'],
})
