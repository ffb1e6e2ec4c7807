import { defineErrors } from '@millrace/contracts'

/** How a filter can be wrong. */
export const filterErrors = defineErrors({
  INVALID_FIELD_PATH: ['invalid', 'the field path is not valid'],
  UNKNOWN_OPERATOR: ['invalid', 'there is no such filter operator'],
  INVALID_FILTER_VALUE: ['invalid', 'the value does not fit the filter operator'],
  TOO_MANY_FILTERS: ['invalid', 'the query has too many filters'],
})
