import type { QueryKind } from './query-kind.js'
import { type CellDeps, parseTimeOrdered } from './time-ordered.js'

/** Distinct users (the user id, or the anonymous id where there is none), in all or over time, within 2 %. */
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
