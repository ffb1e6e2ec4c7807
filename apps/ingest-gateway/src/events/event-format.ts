import { KeyTable } from '../json/key-table.js'
import type { EventRow } from './event-row.js'
import type { FieldNames } from './event-scanner.js'
import { FIELD, FORMAT_FIELD, FORMAT_FIELDS_MAX } from './event-table.js'
import type { RejectionCode } from './rejections.js'

/** How the events of one wire are spelled, and how one of them becomes an event as the validator knows it. */
export interface EventFormat extends FieldNames {
  /** By field: its name in messages. */
  readonly fieldNames: readonly string[]
  /** Fields whose strings are compared, hashed or stored, so their JSON escapes must be decoded. */
  readonly textFields: readonly number[]
  /** Fields whose values are objects. An empty list stands for an empty object there, because PHP writes an array without members as []. */
  readonly objectFields: readonly number[]
  /** The field of the body that may hold the write key; -1 when keys come in the header only. */
  readonly keyField: number
  /** Groups of fields that events inherit from the envelope of the request: all fields of a group, if the event has none of them. */
  readonly inherited: readonly (readonly number[])[]
  /** Names that events without a type of their own may not have. */
  readonly reservedNames: ReadonlySet<string>
  /** Reasons in the words of this wire; for other codes the general reason is used. */
  readonly reasons: Readonly<Partial<Record<RejectionCode, string>>>
  /**
   * Fills the fields of FIELD and the type of one event from the fields of its wire. Called before the validator reads them.
   * Returns the code of a rejection, or undefined.
   */
  normalise(event: EventRow): RejectionCode | undefined
}

/** Numbers the fields of a format that are not in FIELD. Throws at the start of the process when there are too many. */
export function defineFields<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  if (names.length > FORMAT_FIELDS_MAX)
    throw new Error(
      `a wire can have ${FORMAT_FIELDS_MAX} fields of its own, this one has ${names.length}: raise ROW_WORDS`,
    )
  return Object.fromEntries(names.map((name, i) => [name, FORMAT_FIELD + i])) as Record<Name, number>
}

/** The names of a wire for its fields. Several names may stand for one field; the first one is used in messages. */
export function nameFields(names: Readonly<Record<string, number>>): Pick<EventFormat, 'fields' | 'fieldNames'> {
  const fieldNames: string[] = []
  for (const [name, field] of Object.entries(names)) fieldNames[field] ??= name
  return { fields: new KeyTable(Object.entries(names)), fieldNames }
}

/** The fields of FIELD that hold text. */
export const CORE_TEXT_FIELDS: readonly number[] = [
  FIELD.event,
  FIELD.messageId,
  FIELD.userId,
  FIELD.anonymousId,
  FIELD.timestamp,
  FIELD.originalTimestamp,
  FIELD.sentAt,
  FIELD.receivedAt,
]
