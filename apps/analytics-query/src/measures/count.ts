import type { MinuteValues } from '@millrace/rollups'
import type { Measure } from './measure.js'

/** Number of events. */
export const count: Measure = {
  usesSketches: false,
  rollupSelect: 'sum(r.count)::bigint as n',
  isRollupGrouped: true,
  rawInput: () => '',
  rawOutput: (keys) => `select ${keys}, count(*) as n from cell group by ${keys}`,
  rawMerge: 'sum(n) as n',
  rawValue: () => 'n::float8',
  createAccumulator() {
    let events = 0
    const add = (row: Readonly<Record<string, unknown>>): void => {
      events += Number(row.n)
    }
    const addMinute = (minute: MinuteValues): void => {
      events += minute.count
    }
    return { addRollup: add, addMinute, addRaw: add, result: () => ({ value: events, values: {} }) }
  },
}
