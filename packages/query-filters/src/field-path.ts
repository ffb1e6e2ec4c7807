import { findUnstorable } from '@millrace/contracts'
import { formatKeyPath, parseKeyPath } from '@millrace/rollups'
import { filterErrors } from './errors.js'

/** A column of the table that is filtered. */
export interface ColumnPath<Column extends string = string> {
  readonly kind: 'column'
  readonly name: string
  readonly column: Column
}

/** A value inside a JSON column, such as `properties.flight.carrier`. */
export interface JsonPath<Root extends string = string> {
  readonly kind: 'json'
  /** The canonical text of the path, equal for all ways of writing it. */
  readonly name: string
  /** The column. */
  readonly root: Root
  readonly keys: readonly string[]
}

export type FieldPath<Column extends string = string, Root extends string = string> =
  | ColumnPath<Column>
  | JsonPath<Root>

/** The fields of a table that callers may name. */
export interface FieldNames<Column extends string, Root extends string> {
  readonly columns: readonly Column[]
  /** JSON columns, named as the first part of a path. */
  readonly jsonRoots: readonly Root[]
}

const NAME_LENGTH_MAX = 300
const KEYS_MAX = 10

/**
 * Parses the name of a column, or a path into a JSON column by the grammar of rollups (`parseKeyPath`): `properties.flight.carrier`,
 * `properties["a.b"].c`, `properties.items[0]`.
 * @throws INVALID_FIELD_PATH with the path and the reason for a path that can never match
 */
export function parseFieldPath<Column extends string, Root extends string>(
  name: string,
  { columns, jsonRoots }: FieldNames<Column, Root>,
): FieldPath<Column, Root> {
  const column = columns.find((candidate) => candidate === name)
  if (column !== undefined) return { kind: 'column', name, column }
  const unstorable = findUnstorable(name)
  if (unstorable !== null)
    throw invalid(name.slice(0, 40).toWellFormed().replaceAll('\0', '\ufffd'), unstorable.reason, unstorable)
  if (name.length > NAME_LENGTH_MAX) throw invalid(name.slice(0, 40), `it is longer than ${NAME_LENGTH_MAX} characters`)
  const [first = ''] = /^[^.[]*/.exec(name) ?? []
  const parent = columns.find((candidate) => candidate === first)
  if (parent !== undefined) throw invalid(name, `the column ${parent} has no keys below it`)
  const root = jsonRoots.find((candidate) => candidate === first)
  if (root === undefined)
    throw invalid(
      name,
      `it must be ${columns.join(', ')} or begin with ${jsonRoots.map((one) => `${one}.`).join(' or ')}`,
    )
  const path = parseKeyPath(name)
  if (typeof path === 'string') throw invalid(name, path)
  const { keys } = path
  if (keys.length > KEYS_MAX) throw invalid(name, `it has more than ${KEYS_MAX} parts`)
  return { kind: 'json', name: formatKeyPath(path), root, keys }
}

function invalid(path: string, reason: string, { position }: { readonly position?: number } = {}) {
  return filterErrors.INVALID_FIELD_PATH({
    message: `the field path "${path}" is not valid: ${reason}`,
    details: { path, ...(position !== undefined && { position }) },
  })
}
