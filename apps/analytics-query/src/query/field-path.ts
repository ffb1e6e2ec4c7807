import { findUnstorable } from '@millrace/contracts'
import { errors } from '../errors.js'

/** The parts of an event that filters, groups and metrics may name. */
const COLUMNS = ['event', 'type', 'user_id', 'anonymous_id', 'message_id'] as const
export type ColumnField = (typeof COLUMNS)[number]

/** A path such as `event` or `properties.flight.carrier`. `name` is the path as written. */
export type FieldPath =
  | { readonly kind: 'column'; readonly name: string; readonly column: ColumnField }
  | {
      readonly kind: 'json'
      readonly name: string
      readonly root: 'properties' | 'context'
      readonly keys: readonly string[]
    }

const NAME_LENGTH_MAX = 300
const KEYS_MAX = 10

/**
 * Parses a path. Keys may hold any character but a dot; 0, 1, 2 and so on are places in a list too, from its start. Places from the end (-1) are
 * refused: a rollup does not know them.
 * @throws INVALID_FIELD_PATH naming the path.
 */
export function parseFieldPath(name: string): FieldPath {
  const column = COLUMNS.find((candidate) => candidate === name)
  if (column !== undefined) return { kind: 'column', name, column }
  const unstorable = findUnstorable(name)
  if (unstorable !== null)
    throw invalid(name.slice(0, 40).toWellFormed().replaceAll('\0', '\ufffd'), unstorable.reason, unstorable)
  const [root, ...keys] = name.split('.')
  if (root !== 'properties' && root !== 'context')
    throw invalid(name, `it must be ${COLUMNS.join(', ')} or begin with properties. or context.`)
  if (keys.length === 0 || keys.some((key) => key === '')) throw invalid(name, 'it has an empty part')
  if (keys.length > KEYS_MAX) throw invalid(name, `it has more than ${KEYS_MAX} parts`)
  if (name.length > NAME_LENGTH_MAX) throw invalid(name.slice(0, 40), `it is longer than ${NAME_LENGTH_MAX} characters`)
  const fromEnd = keys.find((key) => /^-\d+$/.test(key))
  if (fromEnd !== undefined) throw invalid(name, `${fromEnd} is no place in a list: they count from 0 at its start`)
  return { kind: 'json', name, root, keys }
}

function invalid(path: string, reason: string, { position }: { readonly position?: number } = {}) {
  return errors.INVALID_FIELD_PATH({
    message: `the field path "${path}" is not valid: ${reason}`,
    details: { path, ...(position !== undefined && { position }) },
  })
}
