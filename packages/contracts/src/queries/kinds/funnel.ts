import { z } from 'zod'
import { DAY_MS } from '../../time/durations.js'
import { count, durations, grouped, rate, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { commonFields, comparedFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/funnel */
export const funnel = defineQueryKind({
  title: 'How many users complete a sequence of steps',
  description:
    'One point per group and step: users who reached the step, conversion, and the time since the previous step. A user counts once, with the attempt that got furthest, in the group of its first step. Events outside the range do not count, except for later steps with after_range. A page has 1000 points by default and at most 10,000.',
  request: z.strictObject({
    steps: z
      .array(
        z.union([field.eventName.min(1), field.step], 'must be the name of an event, or an object {event, filters}'),
      )
      .min(QUERY_LIMITS.funnelStepsMin)
      .max(QUERY_LIMITS.funnelStepsMax)
      .describe(
        `${QUERY_LIMITS.funnelStepsMin} to ${QUERY_LIMITS.funnelStepsMax} steps in their order. A string is the name of an event, without filters.`,
      ),
    window: field.duration
      .optional()
      .describe(
        `Longest time from the first step to the last: milliseconds or a duration such as 30m or 14d. Default: ${QUERY_LIMITS.funnelWindowMs / DAY_MS}d.`,
      ),
    after_range: z
      .boolean()
      .optional()
      .describe(
        'Count later steps after to as well, as long as they lie within window of a first step in the range. Default: false.',
      ),
    group_by: field.groupBy,
    ...comparedFields,
    ...commonFields(QUERY_LIMITS.funnelPage),
  }),
  point: z.object({
    step: count.describe('Index of the step, from 0.'),
    ...grouped,
    ...valued,
    value: count.describe('Users who reached the step.'),
    values: z
      .object({
        conversion_rate: rate.describe('Share of the users of the first step, from 0 to 1; null when there are none.'),
        step_conversion_rate: rate.describe(
          'Share of the users of the previous step, from 0 to 1; null when there are none.',
        ),
        ...durations,
      })
      .describe('Durations are the time since the previous step.'),
  }),
  summary: z.object({
    entered: count.describe('Users who reached the first step.'),
    converted: count.describe('Users who reached the last step.'),
    conversion_rate: rate.describe('From 0 to 1; null when nobody reached the first step.'),
  }),
  example: {
    query: { steps: ['Product Viewed', 'Order Completed'], window: '14d', ...SAMPLE_RANGE },
    data: [
      {
        step: 0,
        value: 3,
        values: {
          conversion_rate: 1,
          step_conversion_rate: 1,
          seconds_avg: null,
          seconds_p50: null,
          seconds_p95: null,
        },
      },
      {
        step: 1,
        value: 2,
        values: {
          conversion_rate: 0.6667,
          step_conversion_rate: 0.6667,
          seconds_avg: 4200,
          seconds_p50: 1200,
          seconds_p95: 7200,
        },
      },
    ],
    summary: { entered: 3, converted: 2, conversion_rate: 0.6667 },
  },
})
