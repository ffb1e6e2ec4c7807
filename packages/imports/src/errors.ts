import { defineErrors } from '@millrace/contracts'

/** Errors of a whole job. Single records are rejected with the codes of `RejectCode`. */
export const importErrors = defineErrors({
  IMPORT_MAPPING_INVALID: ['invalid', 'the mapping of columns is not valid'],
  IMPORT_NOT_FOUND: ['not_found', 'there is no such import'],
  IMPORT_STATE_CONFLICT: ['conflict', 'the import is in a state in which this is not possible'],
  IMPORT_LOST: ['conflict', 'another worker has taken the import over'],
  IMPORT_INCOMPLETE: ['invalid', 'too many records are rejected'],
  IMPORT_RACE: ['conflict', 'rows were changed by somebody else at the same time', { retryable: true }],
})
