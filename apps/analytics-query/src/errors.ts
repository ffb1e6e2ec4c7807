import { defineErrors } from '@millrace/contracts'

/** Why this service rejects a request or fails. */
export const errors = defineErrors({
  UNKNOWN_QUERY_KIND: ['invalid', 'there is no such kind of query'],
  INVALID_EVENT_NAME: ['invalid', 'the event name is not valid'],
  INVALID_METRIC: ['invalid', 'the metric is not valid'],
  INVALID_INTERVAL: ['invalid', 'the interval is not valid'],
  INVALID_WEEK_START: ['invalid', 'the first day of the week is not valid'],
  INVALID_TIMEZONE: ['invalid', 'the time zone is not known'],
  INVALID_TIME_RANGE: ['invalid', 'the time range is not valid'],
  INVALID_GROUP_BY: ['invalid', 'group_by is not valid'],
  INVALID_STEPS: ['invalid', 'the steps of the funnel are not valid'],
  INVALID_WINDOW: ['invalid', 'the window is not valid'],
  INVALID_PERIODS: ['invalid', 'the number of periods is not valid'],
  INVALID_COMPARE: ['invalid', 'the value of compare is not valid'],
  INVALID_FILL: ['invalid', 'the value of fill is not valid'],
  INVALID_LIMIT: ['invalid', 'the limit is out of range'],
  TOO_MANY_BUCKETS: ['invalid', 'the range has too many buckets'],
  TOO_MANY_GROUPS: ['invalid', 'the query has too many groups'],
  QUERY_TOO_EXPENSIVE: [
    'invalid',
    'the estimated cost of the query exceeds the budget of the tenant',
    { httpStatus: 422 },
  ],
  TOO_MANY_QUERIES: ['exhausted', 'the tenant has too many queries in the queue'],
  QUERY_QUEUE_FULL: ['unavailable', 'the queue of all tenants is full'],
})
