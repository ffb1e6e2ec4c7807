import { z } from 'zod'
import { group, measured, valued } from '../answer-fields.js'
import { defineQueryKind } from '../define-query-kind.js'
import { QUERY_LIMITS } from '../query-limits.js'
import { commonFields, field, rankedFields } from '../request-fields.js'
import { SAMPLE_RANGE } from '../sample-events.js'

/** GET or POST /api/v1/query/top */
export const top = defineQueryKind({
  title: 'The groups with the greatest values',
  description:
    'Greatest first; groups with equal values are ordered by name. A page has 10 groups by default and at most 1000. Values change while events arrive, so each page has the greatest of the groups that no earlier page had, and no group appears twice. After 500 groups a page fails with 409 CURSOR_OUTDATED when the groups shown so far are no longer the first ones; breakdown lists any number of groups.',
  request: z.strictObject({
    event: field.event,
    metric: field.metric,
    ...rankedFields,
    ...commonFields(QUERY_LIMITS.topPage),
  }),
  point: z.object({ group, ...valued, ...measured }),
  example: {
    query: { event: 'Product Viewed', ...SAMPLE_RANGE, group_by: ['properties.category'], limit: 3 },
    data: [
      { group: { 'properties.category': 'books' }, value: 3 },
      { group: { 'properties.category': 'toys' }, value: 2 },
    ],
  },
})
