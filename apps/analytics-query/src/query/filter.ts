import { type Filter as FieldFilter, type FilterText, parseFilters as parseFieldFilters } from '@millrace/query-filters'
import { type FieldPath, parseFieldPath } from './field-path.js'

/** One condition on a field of an event. */
export type Filter = FieldFilter<FieldPath>

/** @throws UNKNOWN_OPERATOR, INVALID_FILTER_VALUE, INVALID_FIELD_PATH or TOO_MANY_FILTERS */
export function parseFilters(
  filters: readonly FilterText[],
  parsePath: (name: string) => FieldPath = parseFieldPath,
): Filter[] {
  return parseFieldFilters(filters, parsePath)
}
