import { errors } from '../errors.js'
import { type FieldPath, parseFieldPath } from './field-path.js'

const AGGREGATIONS = ['count', 'uniques', 'sum', 'avg', 'min', 'max', 'p50', 'p95', 'p99'] as const
export type Aggregation = (typeof AGGREGATIONS)[number]

/** `count` counts events and `uniques` counts users; all others aggregate the numeric values of `property`. */
export type Metric =
  | { readonly agg: 'count' | 'uniques'; readonly property: null }
  | { readonly agg: Exclude<Aggregation, 'count' | 'uniques'>; readonly property: FieldPath }

/** @throws INVALID_METRIC or INVALID_FIELD_PATH. */
export function parseMetric(agg: string, property: string): Metric {
  const known = AGGREGATIONS.find((candidate) => candidate === agg)
  if (known === undefined)
    throw errors.INVALID_METRIC({ message: `there is no aggregation "${agg}": use ${AGGREGATIONS.join(', ')}` })
  if (known === 'count' || known === 'uniques') {
    if (property !== '') throw errors.INVALID_METRIC({ message: `the aggregation ${known} takes no property` })
    return { agg: known, property: null }
  }
  if (property === '') throw errors.INVALID_METRIC({ message: `the aggregation ${known} needs a property` })
  const path = parseFieldPath(property)
  if (path.kind === 'column')
    throw errors.INVALID_METRIC({ message: `the aggregation ${known} needs a numeric property, not ${property}` })
  return { agg: known, property: path }
}
