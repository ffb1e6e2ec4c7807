import { z } from 'zod'
import { bucket, grouped, measured, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { bucketedFields, commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/timeseries */
export const timeseries = defineQueryKind({
  title: 'A metric over time',
  description:
    'One point per bucket and group, by time and then by group. A page has 10,000 points by default and at most.',
  request: z.strictObject({
    event: field.event,
    metric: field.metric,
    ...bucketedFields,
    interval: field.interval.optional().describe('Length of a bucket. Default: 1h.'),
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({ time: bucket, ...grouped, ...valued, ...measured }),
  example: {
    query: {
      event: 'Order Completed',
      metric: { agg: 'sum', property: 'properties.revenue' },
      ...SAMPLE_RANGE,
      interval: '1d',
    },
    data: [
      { time: '2026-11-16T00:00:00.000Z', value: 60, values: { count: 2 } },
      { time: '2026-11-17T00:00:00.000Z', value: 60, values: { count: 1 } },
      { time: '2026-11-18T00:00:00.000Z', value: 0 },
    ],
  },
})
