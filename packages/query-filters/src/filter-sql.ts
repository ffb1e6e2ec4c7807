import { type DoubleRange, doubleRange, isOneOfSql, type SqlParameters } from '@millrace/rollups'
import type { ColumnPath, FieldPath, JsonPath } from './field-path.js'
import type { CompareOperator, Filter } from './filter.js'

/** Writes the fields of a table as SQL. */
export interface FieldSql<Path extends FieldPath> {
  /** A text, null when the field is absent. */
  readonly column: (path: Extract<Path, ColumnPath>) => string
  /** A jsonb value, null when the field is absent. */
  readonly json: (path: Extract<Path, JsonPath>) => string
}

/** A filter as a condition that is true or not true. Every value becomes a parameter of the statement, never a part of its text. */
export function filterSql<Path extends FieldPath>(
  filter: Filter<Path>,
  fields: FieldSql<Path>,
  values: SqlParameters,
): string {
  const { path } = filter
  return path.kind === 'column'
    ? columnFilter(filter, fields.column(path as Extract<Path, ColumnPath>), values)
    : jsonFilter(filter, fields.json(path as Extract<Path, JsonPath>), values)
}

function columnFilter(filter: Filter, column: string, values: SqlParameters): string {
  switch (filter.op) {
    case 'in':
      return `${column} = any (${values.add(filter.texts, 'text[]')})`
    case 'not_in':
      return `(${column} = any (${values.add(filter.texts, 'text[]')})) is not true`
    case 'any':
    case 'all':
      return 'false'
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

function jsonFilter(filter: Filter, json: string, values: SqlParameters): string {
  switch (filter.op) {
    case 'in':
      return isOneOfSql(json, filter.texts, values)
    case 'not_in':
      return `(${isOneOfSql(json, filter.texts, values)}) is not true`
    case 'any':
      return hasItem(json, filter.texts, values)
    case 'all':
      return `(${[...new Set(filter.texts)].map((text) => hasItem(json, [text], values)).join(' and ')})`
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

/** Whether a list has an item whose text is one of `texts`; false for everything but lists. */
function hasItem(json: string, texts: readonly string[], values: SqlParameters): string {
  const list = `case when jsonb_typeof(${json}) = 'array' then ${json} end`
  return `exists (select from jsonb_array_elements(${list}) as item (value) where ${isOneOfSql('item.value', texts, values)})`
}

/**
 * Compares numbers as doubles, by the ends of the range of decimals that are read as the operand. Compares as jsonb, which orders numbers among themselves: a cast
 * to numeric would take twice as long.
 */
function compareNumber(
  json: string,
  op: CompareOperator,
  { number, values }: { readonly number: number; readonly values: SqlParameters },
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
