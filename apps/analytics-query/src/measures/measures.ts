import type { Metric } from '../query/metric.js'
import { count } from './count.js'
import type { Measure } from './measure.js'
import { quantiles } from './quantiles.js'
import { sums } from './sums.js'
import { uniques } from './uniques.js'

/** The measure that a metric belongs to. */
export function measureOf(metric: Metric): Measure {
  switch (metric.agg) {
    case 'count':
      return count
    case 'uniques':
      return uniques
    case 'sum':
    case 'avg':
    case 'min':
    case 'max':
      return sums
    case 'p50':
    case 'p95':
    case 'p99':
      return quantiles
  }
}
