import { defineErrors } from '@millrace/contracts'

export const consumerErrors = defineErrors({
  RECEIPT_UNKNOWN: ['not_found', 'the receipt is unknown or older than the journal'],
  DEAD_LETTER_UNKNOWN: ['not_found', 'there is no such dead letter'],
  DEAD_LETTER_NOT_PENDING: ['conflict', 'the dead letter is no longer pending'],
  REPLAY_UNCERTAIN: [
    'unavailable',
    'the stream did not confirm the replay; it may still take effect',
    { retryable: false },
  ],
})
