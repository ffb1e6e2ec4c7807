/** Why one event of a request was refused. Codes are part of the public API; reasons are for people. */
export const rejectionReasons = {
  malformed_json: 'the line is not JSON',
  invalid_event: 'an event is a JSON object',
  event_too_large: 'the event is over the size limit',
  nested_too_deep: 'the event is nested too deep',
  too_many_keys: 'the event has too many keys',
  nul_character: 'the event holds the character U+0000, which cannot be stored',
  lone_surrogate: 'the event holds half of a surrogate pair, which is no character',
  number_out_of_range: 'the event holds a number that no 64-bit float can hold',
  invalid_type: 'type is one of track, identify, page, screen, group and alias',
  missing_event: 'a track event has a name in event',
  invalid_event_name: 'event is a string of 1 to 255 bytes',
  reserved_event_name: 'this name is reserved for events of another type',
  invalid_message_id: 'messageId is a string of at most 255 bytes',
  invalid_user_id: 'userId is a string or an integer of at most 255 bytes',
  invalid_anonymous_id: 'anonymousId is a string or an integer of at most 255 bytes',
  missing_user: 'an event has a userId or an anonymousId',
  missing_group_id: 'a group event has a groupId',
  missing_previous_id: 'an alias event has a previousId',
  invalid_timestamp:
    'timestamp is an RFC 3339 time with an offset, such as 2026-11-21T08:00:00.000Z, or milliseconds since 1970',
  timestamp_out_of_range: 'the time of the event is too old or too far ahead',
  invalid_properties: 'properties and traits are JSON objects',
  invalid_context: 'context is a JSON object',
} as const

export type RejectionCode = keyof typeof rejectionReasons

/** One event that was refused while the others of its request went on. */
export interface Rejection {
  /** Place in the request, from 0. */
  index: number
  messageId: string | null
  code: RejectionCode
  reason: string
}
