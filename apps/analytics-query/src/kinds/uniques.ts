import type { QueryKind } from './query-kind.js'
import { type CellDeps, parseTimeOrdered } from './time-ordered.js'

/** Distinct users (by user id, or by anonymous id without a user id), in the whole range or per bucket, within 2 %. */
export const uniques = (deps: CellDeps): QueryKind => ({
  parse: (request, context) =>
    parseTimeOrdered(
      request,
      {
        kind: 'uniques',
        interval: 'optional',
        metric: { agg: 'uniques', property: null },
        empty: () => ({ value: 0, values: {} }),
      },
      { ...deps, context },
    ),
})
