import type { RecordFaultCode } from '@millrace/import-files'

/** Why a record is not loaded. Every code is documented in the README. */
export type RejectCode =
  | RecordFaultCode
  | 'required'
  | 'not_a_number'
  | 'not_an_integer'
  | 'out_of_range'
  | 'not_a_boolean'
  | 'not_a_date'
  | 'not_a_timestamp'
  | 'too_long'
  | 'not_allowed'
  | 'wrong_form'
  | 'reference_missing'
  | 'duplicate_in_file'
  | 'already_exists'

export interface ValueFault {
  readonly code: RejectCode
  /** A fact in lower case, for people. */
  readonly reason: string
}
