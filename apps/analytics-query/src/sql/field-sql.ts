import { EVENT_TYPES } from '@millrace/contracts'
import { type DoubleRange, doubleRange } from '../query/double-range.js'
import type { FieldPath } from '../query/field-path.js'
import type { CompareOperator, Filter } from '../query/filter.js'
import { numberOfText } from '../query/scalar-text.js'
import type { SqlValues } from './sql-values.js'

/** Up to it a number is read as the largest double; larger ones are no values, as in JavaScript where they are infinite. */
export const NUMBER_MAX = '1.797693134862315807e308'

/** A column field as text, null when absent. */
function columnSql(path: Extract<FieldPath, { kind: 'column' }>, values: SqlValues): string {
  return path.column === 'type' ? `(${values.add(EVENT_TYPES, 'text[]')})[e.type + 1]` : `e.${path.column}`
}

/** PostgreSQL takes 01, +1 and a leading blank for an index into a list too; here, as in rollups, those are keys of objects alone. */
const LOOKS_LIKE_INDEX = /^\s*[+-]?\d+$/
const INDEX = /^(0|[1-9]\d*)$/

function jsonSql({ root, keys }: Extract<FieldPath, { kind: 'json' }>, values: SqlValues): string {
  const at = (depth: number) => `e.${root} #> ${values.add(keys.slice(0, depth), 'text[]')}`
  const field = at(keys.length)
  const parents = keys.flatMap((key, depth) => (LOOKS_LIKE_INDEX.test(key) && !INDEX.test(key) ? [at(depth)] : []))
  if (parents.length === 0) return `(${field})`
  return `(case when ${parents.map((parent) => `jsonb_typeof(${parent}) = 'object'`).join(' and ')} then ${field} end)`
}

/** A field to group by: text for columns; for JSON the scalar, whose equality is that of values (1 and 1.0 are one group). */
export function groupSql(path: FieldPath, values: SqlValues): string {
  if (path.kind === 'column') return columnSql(path, values)
  const json = jsonSql(path, values)
  return `case when jsonb_typeof(${json}) in ('string', 'number', 'boolean') then ${json} end`
}

/** The numeric value of a JSON field as numeric, null when it is no number. */
export function numberSql(path: FieldPath, values: SqlValues): string {
  if (path.kind === 'column') return 'null::numeric'
  return numberOf(jsonSql(path, values))
}

function numberOf(json: string): string {
  return `case when jsonb_typeof(${json}) = 'number' and abs(${json}::numeric) <= ${NUMBER_MAX} then ${json}::numeric end`
}

/** One filter as a condition that is true or not true, over the row `e` of events. */
export function filterSql(filter: Filter, values: SqlValues): string {
  return filter.path.kind === 'column'
    ? columnFilter(filter, filter.path, values)
    : jsonFilter(filter, filter.path, values)
}

function columnFilter(filter: Filter, path: Extract<FieldPath, { kind: 'column' }>, values: SqlValues): string {
  const column = columnSql(path, values)
  switch (filter.op) {
    case 'in':
      return `${column} = any (${values.add(filter.texts, 'text[]')})`
    case 'not_in':
      return `(${column} = any (${values.add(filter.texts, 'text[]')})) is not true`
    case 'exists':
      return `${column} is not null`
    case 'not_exists':
      return `${column} is null`
    case 'prefix':
      return `starts_with(${column}, ${values.add(filter.prefix, 'text')})`
    case 'not_prefix':
      return `starts_with(${column}, ${values.add(filter.prefix, 'text')}) is not true`
    default:
      return typeof filter.operand === 'number'
        ? 'false'
        : `${column} collate "C" ${COMPARE[filter.op]} ${values.add(filter.operand, 'text')}`
  }
}

const COMPARE = { gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

function jsonFilter(filter: Filter, path: Extract<FieldPath, { kind: 'json' }>, values: SqlValues): string {
  const json = jsonSql(path, values)
  switch (filter.op) {
    case 'in':
      return isOneOf(json, filter.texts, values)
    case 'not_in':
      return `(${isOneOf(json, filter.texts, values)}) is not true`
    case 'exists':
      return `jsonb_typeof(${json}) <> 'null'`
    case 'not_exists':
      return `(jsonb_typeof(${json}) <> 'null') is not true`
    case 'not_prefix':
      return `(jsonb_typeof(${json}) = 'string' and starts_with(${json} #>> '{}', ${values.add(filter.prefix, 'text')})) is not true`
    case 'prefix':
      return `case when jsonb_typeof(${json}) = 'string' then starts_with(${json} #>> '{}', ${values.add(filter.prefix, 'text')}) end`
    default: {
      if (typeof filter.operand === 'number') return compareNumber(json, filter.op, { number: filter.operand, values })
      return `case when jsonb_typeof(${json}) = 'string' then (${json} #>> '{}') collate "C" ${COMPARE[filter.op]} ${values.add(filter.operand, 'text')} end`
    }
  }
}

/** Whether the scalar text of a field is one of `texts`, without making a text of it. A number is that of the nearest double. */
function isOneOf(json: string, texts: readonly string[], values: SqlValues): string {
  const scalars = texts.flatMap((text) => [
    JSON.stringify(text),
    ...(text === 'true' || text === 'false' ? [text] : []),
  ])
  const [first, ...others] = scalars
  // A list costs half as much again as one value.
  const isScalar =
    first !== undefined && others.length === 0
      ? `${json} = ${values.add(first, 'jsonb')}`
      : `${json} = any (${values.add(scalars, 'jsonb[]')})`
  const ranges = texts.flatMap((text) => rangeOfText(text) ?? [])
  if (ranges.length === 0) return isScalar
  return `case jsonb_typeof(${json}) when 'number' then ${json}::numeric <@ ${values.add(`{${ranges.join(',')}}`, 'nummultirange')} else ${isScalar} end`
}

function rangeOfText(text: string): string | undefined {
  const number = numberOfText(text)
  if (number === null) return undefined
  const { low, high, isClosed } = doubleRange(number)
  return isClosed ? `[${low},${high}]` : `(${low},${high})`
}

/** Compares as doubles, by the ends of the operand's range. As jsonb, whose order keeps numbers apart from all else; a cast would cost as much again. */
function compareNumber(
  json: string,
  op: CompareOperator,
  { number, values }: { readonly number: number; readonly values: SqlValues },
): string {
  const { end, compare } = boundary(op, doubleRange(number))
  return `(jsonb_typeof(${json}) = 'number' and ${json} ${compare} ${values.add(end, 'jsonb')})`
}

function boundary(op: CompareOperator, { low, high, isClosed }: DoubleRange): { end: string; compare: string } {
  switch (op) {
    case 'gt':
      return { end: high, compare: isClosed ? '>' : '>=' }
    case 'gte':
      return { end: low, compare: isClosed ? '>=' : '>' }
    case 'lt':
      return { end: low, compare: isClosed ? '<' : '<=' }
    case 'lte':
      return { end: high, compare: isClosed ? '<=' : '<' }
  }
}
