import { findUnstorable, QUERY_LIMITS } from '@millrace/contracts'
import { textOf } from '@millrace/rollups'
import { filterErrors } from './errors.js'
import type { FieldPath } from './field-path.js'

export type CompareOperator = 'gt' | 'gte' | 'lt' | 'lte'

/** One condition on a field of a row; all conditions of a query must hold. */
export type Filter<Path extends FieldPath = FieldPath> =
  /** The text of the field (`textOf` of rollups) is one of `texts`. */
  | { readonly op: 'in'; readonly path: Path; readonly texts: readonly string[] }
  /** It is none of them. Holds for an absent field. */
  | { readonly op: 'not_in'; readonly path: Path; readonly texts: readonly string[] }
  /** Numbers compare with numbers, texts with texts (by code point); a field of the other type does not match. */
  | { readonly op: CompareOperator; readonly path: Path; readonly operand: number | string }
  /** The field is a list with an item whose text is one of `texts` (`any`), or with such an item for each of them (`all`). */
  | { readonly op: 'any' | 'all'; readonly path: Path; readonly texts: readonly string[] }
  /** The field is present and not null. */
  | { readonly op: 'exists'; readonly path: Path }
  | { readonly op: 'prefix'; readonly path: Path; readonly prefix: string }
  /** These two hold exactly where `exists` and `prefix` do not, so for an absent field as well. */
  | { readonly op: 'not_exists'; readonly path: Path }
  | { readonly op: 'not_prefix'; readonly path: Path; readonly prefix: string }

/** A filter as a caller sends it; `valueJson` is JSON text. */
export interface FilterText {
  readonly property: string
  readonly op: string
  readonly valueJson: string
}

const FILTERS_MAX = QUERY_LIMITS.filtersMax
const VALUES_MAX = 1000

/** @throws UNKNOWN_OPERATOR, INVALID_FILTER_VALUE, INVALID_FIELD_PATH or TOO_MANY_FILTERS. */
export function parseFilters<Path extends FieldPath>(
  filters: readonly FilterText[],
  parsePath: (name: string) => Path,
): Filter<Path>[] {
  if (filters.length > FILTERS_MAX) {
    throw filterErrors.TOO_MANY_FILTERS({
      message: `the query has ${filters.length} filters, at most ${FILTERS_MAX} are allowed`,
    })
  }
  return filters.map(({ property, op, valueJson }) => parseFilter(parsePath(property), op, valueJson))
}

function parseFilter<Path extends FieldPath>(path: Path, op: string, valueJson: string): Filter<Path> {
  switch (op) {
    case 'eq':
      return { op: 'in', path, texts: [scalar(path, op, parseValue(path, op, valueJson))] }
    case 'ne':
      return { op: 'not_in', path, texts: [scalar(path, op, parseValue(path, op, valueJson))] }
    case 'in':
    case 'not_in':
      return { op, path, texts: scalars(path, op, parseValue(path, op, valueJson)) }
    case 'contains':
      return { op: 'any', path: listPath(path, op), texts: [scalar(path, op, parseValue(path, op, valueJson))] }
    case 'any':
    case 'all':
      return { op, path: listPath(path, op), texts: scalars(path, op, parseValue(path, op, valueJson)) }
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte': {
      const operand = parseValue(path, op, valueJson)
      if (typeof operand === 'number' && Number.isFinite(operand)) return { op, path, operand }
      if (typeof operand === 'string') return { op, path, operand: storable(path, op, operand) }
      throw invalidValue(path, op, 'a number or a text')
    }
    case 'exists':
    case 'not_exists':
      return { op, path }
    case 'prefix':
    case 'not_prefix': {
      const prefix = parseValue(path, op, valueJson)
      if (typeof prefix !== 'string' || prefix === '') throw invalidValue(path, op, 'a text that is not empty')
      return { op, path, prefix: storable(path, op, prefix) }
    }
    default:
      throw filterErrors.UNKNOWN_OPERATOR({
        message: `there is no filter operator "${op}": use eq, ne, in, not_in, gt, gte, lt, lte, exists, not_exists, prefix, not_prefix, contains, any or all`,
        details: { op },
      })
  }
}

function parseValue(path: FieldPath, op: string, valueJson: string): unknown {
  try {
    return JSON.parse(valueJson)
  } catch {
    throw invalidValue(path, op, 'a JSON value')
  }
}

/** A column is a text, so an operator on lists can never match it. @throws INVALID_FIELD_PATH */
function listPath<Path extends FieldPath>(path: Path, op: string): Path {
  if (path.kind === 'json') return path
  throw filterErrors.INVALID_FIELD_PATH({
    message: `the filter ${op} on "${path.name}" can never match: the column is not a list`,
    details: { path: path.name, op },
  })
}

function scalars(path: FieldPath, op: string, values: unknown): string[] {
  if (Array.isArray(values) && values.length > 0 && values.length <= VALUES_MAX)
    return values.map((value) => scalar(path, op, value))
  throw invalidValue(path, op, `a list of 1 to ${VALUES_MAX} values`)
}

function scalar(path: FieldPath, op: string, value: unknown): string {
  const text = textOf(value)
  const isInfinite = typeof value === 'number' && !Number.isFinite(value)
  if (text === null || isInfinite) throw invalidValue(path, op, 'a text, a number or a boolean')
  return storable(path, op, text)
}

/** @throws INVALID_FILTER_VALUE naming the character and its position. */
function storable(path: FieldPath, op: string, text: string): string {
  const unstorable = findUnstorable(text)
  if (unstorable === null) return text
  const { reason, position } = unstorable
  throw filterErrors.INVALID_FILTER_VALUE({
    message: `the value of the filter ${op} on "${path.name}" is not valid: ${reason}`,
    details: { path: path.name, op, position },
  })
}

function invalidValue(path: FieldPath, op: string, wanted: string) {
  return filterErrors.INVALID_FILTER_VALUE({
    message: `the filter ${op} on "${path.name}" needs ${wanted}`,
    details: { path: path.name, op },
  })
}
