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
 * Parses a path. Keys may hold any character but a dot; a number is an index into a list.
 * @throws INVALID_FIELD_PATH naming the path.
 */
export function parseFieldPath(name: string): FieldPath {
  const column = COLUMNS.find((candidate) => candidate === name)
  if (column !== undefined) return { kind: 'column', name, column }
  const [root, ...keys] = name.split('.')
  if (root !== 'properties' && root !== 'context')
    throw invalid(name, `it must be ${COLUMNS.join(', ')} or begin with properties. or context.`)
  if (keys.length === 0 || keys.some((key) => key === '')) throw invalid(name, 'it has an empty part')
  if (keys.length > KEYS_MAX) throw invalid(name, `it has more than ${KEYS_MAX} parts`)
  if (name.length > NAME_LENGTH_MAX) throw invalid(name.slice(0, 40), `it is longer than ${NAME_LENGTH_MAX} characters`)
  if (!isStorableText(name)) throw invalid(name.replaceAll('\u0000', ''), 'it has a character that no event can hold')
  return { kind: 'json', name, root, keys }
}

/** Whether PostgreSQL can hold a text: no NUL and no lone surrogate. */
export function isStorableText(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text)
}

function invalid(path: string, reason: string) {
  return errors.INVALID_FIELD_PATH({ message: `the field path "${path}" is not valid: ${reason}`, details: { path } })
}
