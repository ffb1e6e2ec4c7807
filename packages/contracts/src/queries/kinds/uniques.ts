import { z } from 'zod'
import { bucketed, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { bucketedFields, commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/uniques */
export const uniques = defineQueryKind({
  title: 'Distinct users',
  description:
    'In the whole range or per bucket. A user is the user id of an event, or its anonymous id when it has no user id. Counts are at most 2 % off.',
  request: z.strictObject({
    event: field.event,
    metric: z
      .strictObject({ agg: z.enum(['uniques']) })
      .optional()
      .describe('May be left out: this kind has only one metric.'),
    ...bucketedFields,
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({ ...bucketed, ...valued }),
  example: {
    query: { event: 'Product Viewed', ...SAMPLE_RANGE, interval: '1d' },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 3 },
      { time: '2026-11-17T00:00:00.000Z', value: 1 },
      { time: '2026-11-18T00:00:00.000Z', value: 1 },
    ],
  },
})
