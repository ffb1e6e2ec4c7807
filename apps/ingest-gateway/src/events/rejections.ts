import { SCAN_FLAG } from '../json/json-scanner.js'
import { ROW_FLAG } from './event-table.js'

/** Why one event of a request is rejected. Codes are part of the public API; reasons are for people. A wire may have its own reasons. */
export const rejectionReasons = {
  malformed_json: 'the line is not JSON',
  invalid_event: 'an event must be a JSON object',
  event_too_large: 'the event is larger than allowed',
  nested_too_deep: 'the event is nested deeper than allowed',
  too_many_keys: 'the event has more keys than allowed',
  nul_character: 'the event contains the character U+0000, which cannot be stored',
  lone_surrogate: 'the event contains half of a surrogate pair, which is not a character',
  number_out_of_range: 'the event contains a number that does not fit a 64-bit float',
  invalid_type: 'type must be one of track, identify, page, screen, group and alias',
  missing_event: 'a track event must have its name in event',
  invalid_event_name: 'event must be a string or a number of at most 255 bytes',
  reserved_event_name: 'this name is reserved for events of another type',
  invalid_message_id: 'messageId must be a string or a number of at most 255 bytes',
  invalid_user_id: 'userId must be a string or a number of at most 255 bytes',
  invalid_anonymous_id: 'anonymousId must be a string or a number of at most 255 bytes',
  missing_user: 'an event must have a userId or an anonymousId',
  invalid_name: 'name and category must be strings or numbers',
  invalid_group_id: 'groupId must be a string or a number',
  invalid_previous_id: 'previousId must be a string or a number',
  missing_group_id: 'a group event must have a groupId',
  missing_previous_id: 'an alias event must have a previousId',
  invalid_timestamp:
    'timestamp must be an RFC 3339 time with an offset, such as 2026-11-21T08:00:00.000Z, or a number of seconds or milliseconds since 1970',
  timestamp_out_of_range: 'the time of the event is too far in the past or in the future',
  invalid_properties: 'properties and traits must be objects',
  invalid_context: 'context must be an object',
} as const

export type RejectionCode = keyof typeof rejectionReasons

/** One rejected event of a request whose other events may be accepted. */
export interface Rejection {
  /** Position in the request, from 0. */
  index: number
  messageId: string | null
  code: RejectionCode
  reason: string
}

/** The code for bits of SCAN_FLAG and ROW_FLAG, of which at least one is set. */
export function codeOfFlags(flags: number): RejectionCode {
  if (flags & ROW_FLAG.malformed) return 'malformed_json'
  if (flags & ROW_FLAG.notObject) return 'invalid_event'
  if (flags & SCAN_FLAG.nul) return 'nul_character'
  return flags & SCAN_FLAG.loneSurrogate ? 'lone_surrogate' : 'number_out_of_range'
}
