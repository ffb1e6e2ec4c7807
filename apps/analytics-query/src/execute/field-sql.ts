import { EVENT_TYPES } from '@millrace/contracts'
import type { FieldPath } from '../query/field-path.js'
import type { Filter } from '../query/filter.js'
import { jsonValuesOf } from '../query/scalar-text.js'
import type { SqlValues } from './sql-values.js'

/** The largest double; larger numbers are no values, as in JavaScript where they are infinite. */
const NUMBER_MAX = '1.7976931348623157e308'

/** A column field as text, null when absent. */
function columnSql(path: Extract<FieldPath, { kind: 'column' }>, values: SqlValues): string {
  return path.column === 'type' ? `(${values.add(EVENT_TYPES, 'text[]')})[e.type + 1]` : `e.${path.column}`
}

function jsonSql(path: Extract<FieldPath, { kind: 'json' }>, values: SqlValues): string {
  return `(e.${path.root} #> ${values.add(path.keys, 'text[]')})`
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
      return `${json} = any (${jsonValues(filter.texts, values)})`
    case 'not_in':
      return `(${json} = any (${jsonValues(filter.texts, values)})) is not true`
    case 'exists':
      return `jsonb_typeof(${json}) <> 'null'`
    case 'not_exists':
      return `(jsonb_typeof(${json}) <> 'null') is not true`
    case 'not_prefix':
      return `(jsonb_typeof(${json}) = 'string' and starts_with(${json} #>> '{}', ${values.add(filter.prefix, 'text')})) is not true`
    case 'prefix':
      return `case when jsonb_typeof(${json}) = 'string' then starts_with(${json} #>> '{}', ${values.add(filter.prefix, 'text')}) end`
    default: {
      const compare = COMPARE[filter.op]
      if (typeof filter.operand === 'number')
        return `(${numberOf(json)}) ${compare} ${values.add(String(filter.operand), 'numeric')}`
      return `case when jsonb_typeof(${json}) = 'string' then (${json} #>> '{}') collate "C" ${compare} ${values.add(filter.operand, 'text')} end`
    }
  }
}

function jsonValues(texts: readonly string[], values: SqlValues): string {
  return values.add(texts.flatMap(jsonValuesOf), 'jsonb[]')
}
