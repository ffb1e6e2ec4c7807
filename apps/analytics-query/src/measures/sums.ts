import { NUMBER_MAX } from '@millrace/rollups'
import { ExactSum } from '@millrace/sketches'
import type { Metric } from '../query/metric.js'
import { numericSql } from '../sql/field-sql.js'
import type { Measure, MeasureResult, Row } from './measure.js'

const PAIR_BYTES = 16

/**
 * Sum, average, minimum and maximum of a numeric property. Rollups keep sums as pairs of doubles (double-double
 * arithmetic) and return them exactly; raw rows are summed as decimals. Both are rounded once, at the end. A sum that
 * is too large for a double is null, its average is not.
 */
export const sums: Measure = {
  usesSketches: false,
  rollupSelect: `sum(r.count)::bigint as n, min(r.min) as least, max(r.max) as greatest,
    string_agg(float8send(coalesce(r.sum, 0)) || float8send(coalesce(r.sum_error, 0)), ''::bytea) as pairs`,
  isRollupGrouped: true,
  rawInput: (metric, values) =>
    metric.property === null ? 'null::numeric as v' : `${numericSql(metric.property, values)} as v`,
  rawOutput: (keys) =>
    `select ${keys}, count(v) as n, min(v) as least, max(v) as greatest, sum(v) as total from cell where v is not null group by ${keys}`,
  rawMerge: 'sum(n) as n, min(least) as least, max(greatest) as greatest, sum(total) as total',
  rawValue: ({ agg }) => {
    const number = agg === 'min' ? 'least' : agg === 'max' ? 'greatest' : 'total'
    const isDouble = `${number} = 0 or abs(${number}) between 1e-300 and ${NUMBER_MAX}`
    return `case when ${isDouble} then ${number}::float8${agg === 'avg' ? ' / n::float8' : ''} end`
  },
  createAccumulator(metric) {
    const sum = new ExactSum()
    let count = 0
    let least = Number.POSITIVE_INFINITY
    let greatest = Number.NEGATIVE_INFINITY
    const addCommon = (row: Row): void => {
      count += Number(row.n)
      if (row.least !== null) least = Math.min(least, Number(row.least))
      if (row.greatest !== null) greatest = Math.max(greatest, Number(row.greatest))
    }
    return {
      addRollup(row) {
        addCommon(row)
        const pairs = row.pairs as Buffer
        for (let at = 0; at < pairs.length; at += PAIR_BYTES) {
          sum.merge(new ExactSum(pairs.readDoubleBE(at), pairs.readDoubleBE(at + 8)))
        }
      },
      addMinute({ count: values, numbers }) {
        if (numbers === null) return
        count += values
        least = Math.min(least, numbers.min)
        greatest = Math.max(greatest, numbers.max)
        sum.merge(new ExactSum(numbers.sum, numbers.sumError))
      },
      addRaw(row) {
        addCommon(row)
        if (row.total !== null) sum.addDecimal(row.total as string)
      },
      result: () => toResult(metric, { sum, count, least, greatest }),
    }
  },
}

function toResult(
  metric: Metric,
  total: { sum: ExactSum; count: number; least: number; greatest: number },
): MeasureResult {
  const values = { count: total.count }
  if (metric.agg === 'sum') return { value: orNull(total.sum.value()), values }
  if (total.count === 0) return { value: null, values }
  if (metric.agg === 'avg') return { value: orNull(total.sum.mean(total.count)), values }
  return { value: metric.agg === 'min' ? total.least : total.greatest, values }
}

/** JSON and cursors cannot hold infinite numbers. */
function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}
