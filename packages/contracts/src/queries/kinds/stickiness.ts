import { z } from 'zod'
import { count, grouped, rate, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { commonFields, comparedFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/stickiness */
export const stickiness = defineQueryKind({
  title: 'On how many days, weeks or months users were active',
  description:
    'Counts for each user the periods of the range with at least one event, and answers how many users have each number of periods. Periods follow the calendar of timezone; the first and the last may be partial. With group_by a user counts once in each group, with the periods of its events there. A page has 10,000 points by default and at most.',
  request: z.strictObject({
    event: field.eventName.optional().describe('The event that makes a user active. Default: any event.'),
    interval: z.enum(['1d', '1w', '1mo']).optional().describe('Length of a period. Default: 1d.'),
    week_start: field.weekStart,
    group_by: field.groupBy,
    ...comparedFields,
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({
    periods: z.int().min(1).describe('Number of periods, from 1 to all periods of the range.'),
    ...grouped,
    ...valued,
    value: count.describe('Users who were active in exactly this many periods.'),
    values: z.object({
      rate: rate.describe('value divided by the users of the group, from 0 to 1; null without users.'),
      users_cumulative: count.describe('Users who were active in this many periods or more.'),
    }),
  }),
  summary: z.object({
    users: count.describe('Users who were active in the range, each once.'),
    periods: count.describe('Periods of the range.'),
  }),
  example: {
    query: { event: 'Product Viewed', ...SAMPLE_RANGE, interval: '1d' },
    data: [
      { periods: 1, value: 1, values: { rate: 0.3333, users_cumulative: 3 } },
      { periods: 2, value: 2, values: { rate: 0.6667, users_cumulative: 2 } },
      { periods: 3, value: 0, values: { rate: 0, users_cumulative: 0 } },
    ],
    summary: { users: 3, periods: 3 },
  },
})
