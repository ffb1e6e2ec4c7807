import { EVENT_TYPES } from '@millrace/contracts'
import { type DoubleRange, doubleRange, isOneOfSql, jsonFieldSql, numberSql, scalarSql } from '@millrace/rollups'
import type { FieldPath } from '../query/field-path.js'
import type { CompareOperator, Filter } from '../query/filter.js'
import type { SqlValues } from './sql-values.js'

/** A column field as text, null when absent. */
function columnSql(path: Extract<FieldPath, { kind: 'column' }>, values: SqlValues): string {
  return path.column === 'type' ? `(${values.add(EVENT_TYPES, 'text[]')})[e.type + 1]` : `e.${path.column}`
}

/** A field to group by: text for columns; for JSON the scalar, whose equality is that of values (1 and 1.0 are one group). */
export function groupSql(path: FieldPath, values: SqlValues): string {
  if (path.kind === 'column') return columnSql(path, values)
  return scalarSql(jsonFieldSql(path, values))
}

/** The numeric value of a JSON field as numeric, null when it is no number. */
export function numericSql(path: FieldPath, values: SqlValues): string {
  if (path.kind === 'column') return 'null::numeric'
  return numberSql(jsonFieldSql(path, values))
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
  const json = jsonFieldSql(path, values)
  switch (filter.op) {
    case 'in':
      return isOneOfSql(json, filter.texts, values)
    case 'not_in':
      return `(${isOneOfSql(json, filter.texts, values)}) is not true`
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
