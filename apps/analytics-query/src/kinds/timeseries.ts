import type { QueryKind } from './query-kind.js'
import { type CellDeps, parseTimeOrdered } from './time-ordered.js'

/** A metric over time. Without groups every bucket is there: 0 where nothing happened, no value where there is nothing to average or compare. */
export const timeseries = (deps: CellDeps): QueryKind => ({
  parse: (request, context) =>
    parseTimeOrdered(
      request,
      {
        kind: 'timeseries',
        interval: 'needed',
        empty: ({ metric }) => ({ value: ['count', 'uniques', 'sum'].includes(metric.agg) ? 0 : null, values: {} }),
      },
      { ...deps, context },
    ),
})
