import type { QueryKind } from './query-kind.js'
import { type CellDeps, parseTimeOrdered } from './time-ordered.js'

/** A metric over time. Without groups the answer has every bucket: empty ones are 0 for counts and sums, and null for other metrics. */
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
