import { EVENT_TYPES } from '@millrace/contracts'
import { filterSql as fieldFilterSql } from '@millrace/query-filters'
import { jsonFieldSql, numberSql, scalarSql } from '@millrace/rollups'
import type { FieldPath } from '../query/field-path.js'
import type { Filter } from '../query/filter.js'
import type { SqlValues } from './sql-values.js'

/** A column as text; null when the field is absent. */
function columnSql(path: Extract<FieldPath, { kind: 'column' }>, values: SqlValues): string {
  return path.column === 'type' ? `(${values.add(EVENT_TYPES, 'text[]')})[e.type + 1]` : `e.${path.column}`
}

/** A field to group by: text for columns, the scalar as jsonb for JSON fields, so that 1 and 1.0 are one group. */
export function groupSql(path: FieldPath, values: SqlValues): string {
  if (path.kind === 'column') return columnSql(path, values)
  return scalarSql(jsonFieldSql(path, values))
}

/** The value of a JSON field as numeric; null when it is not a number. */
export function numericSql(path: FieldPath, values: SqlValues): string {
  if (path.kind === 'column') return 'null::numeric'
  return numberSql(jsonFieldSql(path, values))
}

/** A filter as a condition on the row `e` of events. */
export function filterSql(filter: Filter, values: SqlValues): string {
  return fieldFilterSql(
    filter,
    { column: (path) => columnSql(path, values), json: (path) => jsonFieldSql(path, values) },
    values,
  )
}
