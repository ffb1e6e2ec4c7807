import { z } from 'zod'
import { group, measured, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { commonFields, field, rankedFields } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/breakdown */
export const breakdown = defineQueryKind({
  title: 'A metric for every group',
  description:
    'Ordered by the names of the groups, so a group that exists when the first page is read appears exactly once, whatever arrives in between. A page has 100 groups by default and at most 1000.',
  request: z.strictObject({
    event: field.event,
    metric: field.metric,
    ...rankedFields,
    ...commonFields(QUERY_LIMITS.breakdownPage),
  }),
  point: z.object({ group, ...valued, ...measured }),
  example: {
    query: {
      event: 'Order Completed',
      metric: { agg: 'avg', property: 'properties.revenue' },
      ...SAMPLE_RANGE,
      filters: [{ property: 'properties.revenue', op: 'gte', value: 20 }],
      group_by: ['properties.country'],
    },
    data: [
      { group: { 'properties.country': 'DE' }, value: 50, values: { count: 2 } },
      { group: { 'properties.country': 'US' }, value: 20, values: { count: 1 } },
    ],
  },
})
