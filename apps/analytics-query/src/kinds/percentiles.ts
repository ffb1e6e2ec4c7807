import { parseMetric } from '../query/metric.js'
import type { QueryKind } from './query-kind.js'
import { type CellDeps, parseTimeOrdered } from './time-ordered.js'

/** p50, p95 and p99 of a numeric property within 1 %, in all or over time; `value` is the one that the metric names, else p50. */
export const percentiles = (deps: CellDeps): QueryKind => ({
  parse: (request, context) => {
    const asked = request.metric?.agg ?? ''
    const agg = asked === 'p95' || asked === 'p99' ? asked : 'p50'
    const metric = parseMetric(agg, request.metric?.property ?? '')
    return parseTimeOrdered(
      request,
      { kind: 'percentiles', interval: 'optional', metric, empty: () => ({ value: null, values: { count: 0 } }) },
      { ...deps, context },
    )
  },
})
