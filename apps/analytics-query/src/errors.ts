import { defineErrors } from '@millrace/contracts'

/** What this service refuses or fails with. */
export const errors = defineErrors({
  UNKNOWN_QUERY_KIND: ['invalid', 'there is no such kind of query'],
  INVALID_EVENT_NAME: ['invalid', 'no event can have this name'],
  INVALID_METRIC: ['invalid', 'the metric is not valid'],
  INVALID_INTERVAL: ['invalid', 'the interval is not valid'],
  INVALID_TIMEZONE: ['invalid', 'the time zone is not known'],
  INVALID_TIME_RANGE: ['invalid', 'the time range is not valid'],
  INVALID_GROUP_BY: ['invalid', 'group_by is not valid'],
  INVALID_STEPS: ['invalid', 'the steps of the funnel are not valid'],
  INVALID_WINDOW: ['invalid', 'the window is not valid'],
  INVALID_PERIODS: ['invalid', 'the number of periods is not valid'],
  INVALID_COMPARE: ['invalid', 'there is no such comparison'],
  INVALID_FILL: ['invalid', 'there is no such way to fill'],
  INVALID_LIMIT: ['invalid', 'the limit is out of range'],
  TOO_MANY_BUCKETS: ['invalid', 'the range has too many buckets'],
  TOO_MANY_GROUPS: ['invalid', 'the query has too many groups'],
  QUERY_TOO_EXPENSIVE: ['invalid', 'the query would cost more than the tenant may spend', { httpStatus: 422 }],
  TOO_MANY_QUERIES: ['exhausted', 'the tenant has as many queries waiting as it may'],
  QUERY_QUEUE_FULL: ['unavailable', 'as many queries wait as there is room for'],
})
