import { z } from 'zod'
import { bucketed, count, quantile, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { bucketedFields, commonFields, field } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/percentiles */
export const percentiles = defineQueryKind({
  title: 'p50, p95 and p99 of a numeric property',
  description:
    'In the whole range or per bucket, within 1 % of the value with index ⌊q · (n − 1)⌋ among the n numeric values in ascending order.',
  request: z.strictObject({
    event: field.event,
    metric: z.strictObject({
      agg: z
        .enum(['p50', 'p95', 'p99'])
        .default('p50')
        .describe('The percentile that value holds; values always has all three. Default: p50.'),
      property: field.path.describe('Path of the numeric property, such as properties.delay.'),
    }),
    ...bucketedFields,
    ...commonFields(QUERY_LIMITS.seriesPage),
  }),
  point: z.object({
    ...bucketed,
    ...valued,
    values: z.object({
      p50: quantile,
      p95: quantile,
      p99: quantile,
      count: count.describe('Events with a number in that property.'),
    }),
  }),
  example: {
    query: { event: 'Product Viewed', metric: { agg: 'p95', property: 'properties.load_ms' }, ...SAMPLE_RANGE },
    data: [{ value: 300, values: { p50: 150, p95: 300, p99: 300, count: 5 } }],
  },
})
