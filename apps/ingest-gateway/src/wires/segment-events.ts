import { EVENT_TYPES, type EventType } from '@millrace/contracts'
import { CORE_TEXT_FIELDS, defineFields, type EventFormat, nameFields } from '../events/event-format.js'
import { A_TEXT, type EventRow, KIND } from '../events/event-row.js'
import { FIELD } from '../events/event-table.js'
import type { RejectionCode } from '../events/rejections.js'
import { KeyTable } from '../json/key-table.js'

// The events of Segment's specification (https://segment.com/docs/connections/spec/), which both Segment's wire and the native one carry.

const OWN = defineFields(['type', 'traits', 'name', 'category', 'groupId', 'previousId', 'batch', 'writeKey'])

const TYPE_TRACK = EVENT_TYPES.indexOf('track')
const OPEN_BRACE = 0x7b
const traitsKey = new KeyTable([['traits', 0]])
const types = new KeyTable(EVENT_TYPES.map((type, index) => [type, index]))

/** A text that is stored with the properties of an event. */
interface Extra {
  readonly field: number
  readonly name: string
  /** The rejection code when its value is not a text. */
  readonly invalid: RejectionCode
}

/** What an event of one type has besides its properties. */
interface TypeRules {
  /** Whether its properties are called traits. */
  readonly hasTraits: boolean
  /** Whether the traits of the user in its context belong to its traits. */
  readonly mergeUserTraits?: true
  readonly extras: readonly Extra[]
  /** The code for an event that lacks one of the extras; undefined when they are optional. */
  readonly missing: RejectionCode | undefined
}

const nameAndCategory: readonly Extra[] = [
  { field: OWN.name, name: 'name', invalid: 'invalid_name' },
  { field: OWN.category, name: 'category', invalid: 'invalid_name' },
]
const groupId: Extra = { field: OWN.groupId, name: 'groupId', invalid: 'invalid_group_id' }
const previousId: Extra = { field: OWN.previousId, name: 'previousId', invalid: 'invalid_previous_id' }
const rulesByType: Readonly<Record<EventType, TypeRules>> = {
  track: { hasTraits: false, extras: [], missing: undefined },
  identify: { hasTraits: true, mergeUserTraits: true, extras: [], missing: undefined },
  page: { hasTraits: false, extras: nameAndCategory, missing: undefined },
  screen: { hasTraits: false, extras: nameAndCategory, missing: undefined },
  group: { hasTraits: true, extras: [groupId], missing: 'missing_group_id' },
  alias: { hasTraits: false, extras: [previousId], missing: 'missing_previous_id' },
}
/** The names under which events of the types are stored, by index of the type. Track events cannot have them. */
export const TYPE_EVENT_NAMES: readonly string[] = EVENT_TYPES.map((type) => `$${type}`)
const rules = EVENT_TYPES.map((type) => rulesByType[type])

export const segmentEvents: EventFormat = {
  // Segment's SDKs write camel case. The responses of our own API use snake case, so that is accepted as well.
  ...nameFields({
    ...FIELD,
    ...OWN,
    message_id: FIELD.messageId,
    user_id: FIELD.userId,
    anonymous_id: FIELD.anonymousId,
    sent_at: FIELD.sentAt,
    original_timestamp: FIELD.originalTimestamp,
    received_at: FIELD.receivedAt,
    group_id: OWN.groupId,
    previous_id: OWN.previousId,
  }),
  textFields: [...CORE_TEXT_FIELDS, OWN.type, OWN.name, OWN.category, OWN.groupId, OWN.previousId],
  objectFields: [FIELD.properties, FIELD.context, OWN.traits],
  listField: OWN.batch,
  keyField: OWN.writeKey,
  reservedNames: new Set(TYPE_EVENT_NAMES),
  // What one event is about is never inherited: type, event, messageId, properties, traits, name, category, groupId and previousId.
  inherited: [
    [FIELD.userId],
    [FIELD.anonymousId],
    [FIELD.sentAt],
    [FIELD.timestamp, FIELD.originalTimestamp, FIELD.receivedAt],
  ],
  reasons: {},
  normalise(event) {
    const type = readType(event)
    if (type < 0) return 'invalid_type'
    event.type = type
    if (type === TYPE_TRACK) return undefined
    event.setText(FIELD.event, TYPE_EVENT_NAMES[type] as string)
    return readProperties(event, rules[type] as TypeRules)
  },
}

function readType(event: EventRow): number {
  if (event.pathType >= 0) return event.pathType
  const kind = event.kind(OWN.type)
  if (kind === KIND.none) return TYPE_TRACK
  return kind === KIND.text ? types.find(event.bytes, event.start(OWN.type) + 1, event.end(OWN.type) - 1) : -1
}

function readProperties(
  event: EventRow,
  { hasTraits: mayHaveTraits, mergeUserTraits, extras, missing }: TypeRules,
): RejectionCode | undefined {
  const hasTraits = mayHaveTraits && !event.isAbsent(OWN.traits)
  if (hasTraits) {
    if (!event.isObject(OWN.traits)) {
      event.explain(OWN.traits, 'an object')
      return 'invalid_properties'
    }
    event.copy(OWN.traits, FIELD.properties)
  }
  const hasUserTraits = mergeUserTraits && addUserTraits(event)
  const found = extras.filter(({ field }) => !event.isUnset(field))
  for (const { field, invalid } of found) {
    if (event.kind(field) !== KIND.other) continue
    event.explain(field, A_TEXT)
    return invalid
  }
  if (missing !== undefined && found.length < extras.length) return missing
  const hasExtras = found.length > 0 && (event.isAbsent(FIELD.properties) || event.isObject(FIELD.properties))
  if (hasExtras) event.setJson(FIELD.properties, withExtras(event, found))
  if (hasTraits || hasUserTraits || hasExtras) event.watchProperties()
  return undefined
}

/**
 * RudderStack's SDKs send the traits of identify events in the context. They are merged with the traits of the event, or its properties, which
 * win. Traits in the context that are not an object stay there and change nothing.
 */
function addUserTraits(event: EventRow): boolean {
  const traits = event.findMember(FIELD.context, traitsKey)
  if (traits === 0 || event.bytes[traits] !== OPEN_BRACE) return false
  if (!event.isAbsent(FIELD.properties) && !event.isObject(FIELD.properties)) return false
  event.mergeObject(traits, FIELD.properties)
  return true
}

/** The properties with further members in front of them, so that a property of the same name wins. */
function withExtras(event: EventRow, extras: readonly Extra[]): string {
  const members = extras.map(({ field, name }) => `"${name}":${event.textJson(field)}`).join(',')
  if (event.isAbsent(FIELD.properties)) return `{${members}}`
  const rest = event.slice(event.start(FIELD.properties) + 1, event.end(FIELD.properties))
  const isEmpty = rest.trimStart().startsWith('}')
  return `{${members}${isEmpty ? '' : ','}${rest}`
}
