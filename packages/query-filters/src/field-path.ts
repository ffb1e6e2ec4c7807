import { findUnstorable } from '@millrace/contracts'
import { filterErrors } from './errors.js'

/** A column of the table that is filtered. `name` is the path as the caller wrote it. */
export interface ColumnPath<Column extends string = string> {
  readonly kind: 'column'
  readonly name: string
  readonly column: Column
}

/** A value inside a JSON column, such as `properties.flight.carrier`. */
export interface JsonPath<Root extends string = string> {
  readonly kind: 'json'
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
 * Parses a path. A key may hold any character but a dot. 0, 1, 2 and so on are also indexes into a list; indexes from its end (-1) are refused, since
 * rollups do not know them.
 * @throws INVALID_FIELD_PATH
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
  const [first, ...keys] = name.split('.')
  const root = jsonRoots.find((candidate) => candidate === first)
  if (root === undefined)
    throw invalid(
      name,
      `it must be ${columns.join(', ')} or begin with ${jsonRoots.map((one) => `${one}.`).join(' or ')}`,
    )
  if (keys.length === 0 || keys.some((key) => key === '')) throw invalid(name, 'it has an empty part')
  if (keys.length > KEYS_MAX) throw invalid(name, `it has more than ${KEYS_MAX} parts`)
  if (name.length > NAME_LENGTH_MAX) throw invalid(name.slice(0, 40), `it is longer than ${NAME_LENGTH_MAX} characters`)
  const fromEnd = keys.find((key) => /^-\d+$/.test(key))
  if (fromEnd !== undefined)
    throw invalid(name, `${fromEnd} is not an index into a list: indexes count from 0 at its start`)
  return { kind: 'json', name, root, keys }
}

function invalid(path: string, reason: string, { position }: { readonly position?: number } = {}) {
  return filterErrors.INVALID_FIELD_PATH({
    message: `the field path "${path}" is not valid: ${reason}`,
    details: { path, ...(position !== undefined && { position }) },
  })
}
