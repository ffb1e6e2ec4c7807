import { parseMetric } from '../query/metric.js'
import type { QueryKind } from './query-kind.js'
import { type CellDeps, parseTimeOrdered } from './time-ordered.js'

/** p50, p95 and p99 of a numeric property, within 1 %, in the whole range or per bucket. `value` is the percentile of the metric, by default p50. */
export const percentiles = (deps: CellDeps): QueryKind => ({
  parse: (request, context) => {
    const requested = request.metric?.agg ?? ''
    const agg = requested === 'p95' || requested === 'p99' ? requested : 'p50'
    const metric = parseMetric(agg, request.metric?.property ?? '')
    return parseTimeOrdered(
      request,
      { kind: 'percentiles', interval: 'optional', metric, empty: () => ({ value: null, values: { count: 0 } }) },
      { ...deps, context },
    )
  },
})
