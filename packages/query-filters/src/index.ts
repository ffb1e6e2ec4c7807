export { filterErrors } from './errors.js'
export { type FieldPath, parseFieldPath } from './field-path.js'
export { type Filter, type FilterText, parseFilters } from './filter.js'
export { filterSql } from './filter-sql.js'
