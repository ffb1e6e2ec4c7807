import { DDSketch } from '@millrace/sketches'
import { numericSql } from '../sql/field-sql.js'
import type { Measure } from './measure.js'

const BIN_BYTES = 16
/**
 * PostgreSQL returns raw values as counts of values within 0.1 % of each other. With the 0.8 % of the sketch the error
 * stays below 1 %.
 */
const BIN_RATIO_LN = Math.log(1.001)
/** Smaller absolute values count as zero, as in DDSketch. */
const ZERO_UP_TO = '1e-307'

/** p50, p95 and p99 of a numeric property. */
export const quantiles: Measure = {
  usesSketches: true,
  rollupSelect: 'r.sketch',
  isRollupGrouped: false,
  rawInput: (metric, values) =>
    metric.property === null ? 'null::numeric as v' : `${numericSql(metric.property, values)} as v`,
  rawOutput: (keys) => `select ${keys}, string_agg(float8send(v) || int8send(n), ''::bytea) as bins from (
      select ${keys}, min(v) as v, count(*) as n
      from (select ${keys}, (case when abs(v) <= ${ZERO_UP_TO} then 0 else v end)::float8 as v from cell where v is not null) number
      group by ${keys}, sign(v), case when v <> 0 then floor(ln(abs(v)) / ${BIN_RATIO_LN}) end
    ) bin group by ${keys}`,
  rawMerge: `string_agg(bins, ''::bytea) as bins`,
  rawValue: () => null,
  createAccumulator(metric) {
    const sketch = new DDSketch()
    return {
      addRollup(row) {
        if (row.sketch !== null) sketch.mergeSerialised(row.sketch as Buffer)
      },
      addMinute(_, bytes) {
        if (bytes !== null) sketch.mergeSerialised(bytes)
      },
      addRaw(row) {
        const bins = row.bins as Buffer
        for (let at = 0; at < bins.length; at += BIN_BYTES)
          sketch.add(bins.readDoubleBE(at), Number(bins.readBigInt64BE(at + 8)))
      },
      result() {
        if (sketch.count === 0) return { value: null, values: { count: 0 } }
        const values = {
          count: sketch.count,
          p50: sketch.quantile(0.5),
          p95: sketch.quantile(0.95),
          p99: sketch.quantile(0.99),
        }
        return { value: metric.agg === 'p95' ? values.p95 : metric.agg === 'p99' ? values.p99 : values.p50, values }
      },
    }
  },
}
