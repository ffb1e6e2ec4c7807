import { createHash } from 'node:crypto'
import { EVENT_TYPES } from '@millrace/contracts'
import { CORE_TEXT_FIELDS, defineFields, type EventFormat, nameFields } from '../../events/event-format.js'
import { A_TEXT, type EventRow, KIND } from '../../events/event-row.js'
import { FIELD } from '../../events/event-table.js'
import type { RejectionCode } from '../../events/rejections.js'
import { TYPE_EVENT_NAMES } from '../segment-events.js'

const OWN = defineFields(['specversion', 'id', 'source', 'subject', 'data_base64'])

const TYPE_TRACK = EVENT_TYPES.indexOf('track')
const MESSAGE_ID_BYTES_MAX = 255
/** Attributes that have a column of their own. All others are kept in the context. */
const STORED_ELSEWHERE: ReadonlySet<string> = new Set([
  'specversion',
  'type',
  'time',
  'data',
  'data_base64',
  'userid',
  'anonymousid',
])

/**
 * CloudEvents as events of Millrace:
 * - message id: source and id, because only both together are unique
 * - event: type; timestamp: time
 * - user id: the extension userid; anonymous id: the extension anonymousid. An event with neither has its subject as anonymous id, or else its
 *   source: subject and source need not be users, so they never become user ids
 * - properties: data if it is an object, else `{"data": …}` or `{"data_base64": "…"}`
 * - context: `{"cloudevents": {…}}` with id, source, subject, datacontenttype, dataschema and all extensions
 */
export const cloudEvents: EventFormat = {
  ...nameFields({
    ...OWN,
    type: FIELD.event,
    time: FIELD.timestamp,
    data: FIELD.properties,
    userid: FIELD.userId,
    anonymousid: FIELD.anonymousId,
  }),
  textFields: [...CORE_TEXT_FIELDS, OWN.specversion, OWN.id, OWN.source, OWN.subject],
  // An empty list in data is data: it becomes a property.
  objectFields: [],
  listField: -1,
  keyField: -1,
  reservedNames: new Set(TYPE_EVENT_NAMES),
  inherited: [],
  reasons: {
    invalid_event: 'a CloudEvent must be a JSON object with specversion 1.0',
    missing_event: 'a CloudEvent must have a type',
    invalid_event_name: 'type must be a string or a number of at most 255 bytes',
    invalid_message_id: 'a CloudEvent must have an id and a source, and a source contains no space',
    invalid_user_id: 'userid must be a string or a number of at most 255 bytes',
    invalid_anonymous_id:
      'anonymousid, or else subject, or else source must be a string or a number of at most 255 bytes',
    invalid_timestamp:
      'time must be an RFC 3339 time with an offset, such as 2026-11-21T08:00:00.000Z, or a number of seconds or milliseconds since 1970',
    invalid_properties: 'data_base64 must be a string and cannot be combined with data',
  },
  normalise(event) {
    event.type = TYPE_TRACK
    if (event.text(OWN.specversion) !== '1.0') return 'invalid_event'
    return readMessageId(event) ?? readUser(event) ?? readData(event) ?? keepAttributes(event)
  },
}

function readMessageId(event: EventRow): RejectionCode | undefined {
  for (const field of [OWN.id, OWN.source]) {
    if (event.kind(field) !== KIND.other) continue
    event.explain(field, A_TEXT)
    return 'invalid_message_id'
  }
  const id = event.text(OWN.id)
  const source = event.text(OWN.source)
  // A source is a URI reference and contains no space, so the space between the two makes the pair unambiguous.
  if (id === undefined || source === undefined || source.includes(' ')) return 'invalid_message_id'
  const both = `${source} ${id}`
  const isShort = Buffer.byteLength(both) <= MESSAGE_ID_BYTES_MAX
  event.setText(FIELD.messageId, isShort ? both : `sha256:${createHash('sha256').update(both).digest('hex')}`)
  return undefined
}

function readUser(event: EventRow): RejectionCode | undefined {
  if (!event.isUnset(FIELD.userId) || !event.isUnset(FIELD.anonymousId)) return undefined
  if (event.kind(OWN.subject) === KIND.other) {
    event.explain(OWN.subject, A_TEXT)
    return 'invalid_anonymous_id'
  }
  const user = event.isUnset(OWN.subject) ? OWN.source : OWN.subject
  event.copy(user, FIELD.anonymousId)
  return event.isTooLong(user) ? 'invalid_anonymous_id' : undefined
}

function readData(event: EventRow): RejectionCode | undefined {
  const hasData = !event.isAbsent(FIELD.properties)
  if (!event.isAbsent(OWN.data_base64)) {
    if (hasData || !event.isString(OWN.data_base64)) return 'invalid_properties'
    event.setJson(FIELD.properties, `{"data_base64":${event.json(OWN.data_base64)}}`)
    event.watchProperties()
  } else if (hasData && !event.isObject(FIELD.properties)) {
    event.setJson(FIELD.properties, `{"data":${event.json(FIELD.properties)}}`)
    event.watchProperties()
  }
  return undefined
}

function keepAttributes(event: EventRow): undefined {
  const members: string[] = []
  event.forEachMember((name, { start, end }) => {
    if (!STORED_ELSEWHERE.has(name)) members.push(`${JSON.stringify(name)}:${event.slice(start, end)}`)
  })
  event.setJson(FIELD.context, `{"cloudevents":{${members.join(',')}}}`)
}
