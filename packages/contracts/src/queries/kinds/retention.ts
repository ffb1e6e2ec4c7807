import { z } from 'zod'
import { count, grouped, rate, time, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/retention */
export const retention = defineQueryKind({
  title: 'How many users come back',
  description:
    'Users are put into cohorts by the period of their first event in the range; each point says how many of a cohort came back in one later period. There is no compare: an answer over a longer range shows earlier and later cohorts side by side, each with its own time to come back.',
  request: z.strictObject({
    event: field.eventName.optional().describe('The event that puts a user into a cohort. Default: any event.'),
    return_event: field.eventName.optional().describe('The event that counts as coming back. Default: any event.'),
    interval: z.enum(['1d', '1w', '1mo']).optional().describe('Length of a period. Default: 1d.'),
    week_start: field.weekStart,
    periods: z
      .int()
      .min(1)
      .max(QUERY_LIMITS.retentionPeriodsMax)
      .optional()
      .describe('How many periods to follow after that of the cohort. Default: all periods of the range.'),
    group_by: field.groupBy,
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({
    time: time.describe('Start of the cohort’s own period.'),
    period: count.describe('Periods since the cohort’s own, from 0.'),
    ...grouped,
    ...valued,
    value: count.describe('Users of the cohort who came back in this period.'),
    values: z.object({
      rate: rate.describe('value divided by cohort_size, from 0 to 1; null for an empty cohort.'),
      cohort_size: count.describe('Users of the cohort.'),
    }),
  }),
  example: {
    query: { event: 'Product Viewed', ...SAMPLE_RANGE, interval: '1d', periods: 2 },
    data: [
      { time: '2026-11-16T00:00:00.000Z', period: 0, value: 3, values: { rate: 1, cohort_size: 3 } },
      { time: '2026-11-16T00:00:00.000Z', period: 1, value: 1, values: { rate: 0.3333, cohort_size: 3 } },
      { time: '2026-11-16T00:00:00.000Z', period: 2, value: 1, values: { rate: 0.3333, cohort_size: 3 } },
      { time: '2026-11-17T00:00:00.000Z', period: 0, value: 0, values: { rate: null, cohort_size: 0 } },
      { time: '2026-11-17T00:00:00.000Z', period: 1, value: 0, values: { rate: null, cohort_size: 0 } },
      { time: '2026-11-18T00:00:00.000Z', period: 0, value: 0, values: { rate: null, cohort_size: 0 } },
    ],
  },
})
