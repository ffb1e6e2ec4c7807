import { z } from 'zod'
import { count, time, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/daily */
export const daily = defineQueryKind({
  title: 'The daily report',
  description:
    'Events, users and the average response time of each UTC day. Complete days come from a materialized view and the others are counted now; meta.age_ms is the age of the view.',
  request: z
    .strictObject(commonFields(QUERY_LIMITS.seriesPage))
    .omit({ filters: true })
    .extend({
      from: field.time
        .optional()
        .describe('Start of the range, moved back to the start of its UTC day. Default: 90 days before to.'),
      to: field.time
        .optional()
        .describe('End of the range, moved on to the end of its UTC day. Default: the end of the current minute.'),
      timezone: z.enum(['UTC']).optional().describe('Days are always those of UTC.'),
    }),
  point: z.object({
    time: time.describe('Start of the UTC day.'),
    ...valued,
    value: count.describe('Events.'),
    values: z.object({
      events: count,
      users: count,
      avg_response_ms: z
        .number()
        .nullable()
        .describe(
          'Average of the property that the operator configured (properties.duration_ms by default); null when no rollup has it.',
        ),
    }),
  }),
  example: {
    query: { ...SAMPLE_RANGE },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 8, values: { events: 8, users: 3, avg_response_ms: null } },
      { time: '2026-11-17T00:00:00.000Z', value: 2, values: { events: 2, users: 1, avg_response_ms: null } },
      { time: '2026-11-18T00:00:00.000Z', value: 1, values: { events: 1, users: 1, avg_response_ms: null } },
    ],
  },
})
