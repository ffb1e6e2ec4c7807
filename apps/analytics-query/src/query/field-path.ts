import { type FieldPath as PathOf, parseFieldPath as parsePath } from '@millrace/query-filters'

const COLUMNS = ['event', 'type', 'user_id', 'anonymous_id', 'message_id'] as const
const JSON_ROOTS = ['properties', 'context'] as const

/** A field of an event that filters, groups and metrics may name, such as `event` or `properties.flight.carrier`. */
export type FieldPath = PathOf<(typeof COLUMNS)[number], (typeof JSON_ROOTS)[number]>

/** @throws INVALID_FIELD_PATH */
export function parseFieldPath(name: string): FieldPath {
  return parsePath(name, { columns: COLUMNS, jsonRoots: JSON_ROOTS })
}
