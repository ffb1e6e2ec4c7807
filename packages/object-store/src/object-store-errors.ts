import { defineErrors } from '@millrace/contracts'

/** Every error of a store has one of these codes. `details.key` names the object where there is one. */
export const objectStoreErrors = defineErrors({
  OBJECT_KEY_INVALID: ['invalid', 'the key of the object is not valid'],
  OBJECT_RANGE_INVALID: ['invalid', 'the range of the object is not valid'],
  OBJECT_TOO_LARGE: ['invalid', 'the object is larger than the object store takes'],
  OBJECT_NOT_FOUND: ['not_found', 'the object does not exist'],
  OBJECT_EXISTS: ['conflict', 'an object with this key exists'],
  OBJECT_STORE_FULL: ['unavailable', 'the object store has no room'],
  OBJECT_STORE_REFUSED: ['unavailable', 'the object store refused the request', { retryable: false }],
  OBJECT_STORE_UNAVAILABLE: ['unavailable', 'the object store cannot be reached'],
})
