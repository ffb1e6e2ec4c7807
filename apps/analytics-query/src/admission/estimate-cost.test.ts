import { describe, expect, it } from '@jest/globals'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '@millrace/contracts'
import { type CellsWorkload, estimateCells, estimateMarks } from './estimate-cost.js'
import { type TableStatistics, unknownShares } from './table-statistics.js'

const START = Date.UTC(2026, 9, 1)
const DAYS = 31
const statistics: TableStatistics = {
  days: new Map(Array.from({ length: DAYS }, (_, day) => [START + day * DAY_MS, { rows: 86_400, users: 100 }])),
  firstDayMs: START,
  lastDayMs: START + (DAYS - 1) * DAY_MS,
  events: unknownShares<string>(),
  tenants: unknownShares<number>(),
  users: unknownShares<bigint>(),
  logins: 0,
}
/** A minute of every hour of the month, as after one late event an hour. */
const minutes = Array.from({ length: DAYS * 24 }, (_, hour) => ({
  fromMs: START + hour * HOUR_MS,
  toMs: START + hour * HOUR_MS + MINUTE_MS,
}))
const NOW = START + DAYS * DAY_MS
const common = { tenantId: 1, events: '*', userHashes: null } as const
const cells: CellsWorkload = { ...common, raw: [], rollup: [], series: 1, places: 31, result: 'number' }

describe('the estimated cost of a query', () => {
  it('counts each day partition once, however many dirty windows are read from it', () => {
    const rollup = [{ ranges: minutes, widthMs: MINUTE_MS, parts: 1 }]
    expect(estimateCells({ ...cells, rollup }, statistics, NOW).partitions).toBe(DAYS)
    expect(estimateCells({ ...cells, raw: minutes }, statistics, NOW)).toMatchObject({
      partitions: DAYS,
      rows: DAYS * 24 * 60,
    })
    expect(estimateCells({ ...cells, raw: minutes, rollup }, statistics, NOW).partitions).toBe(2 * DAYS)
    const marks = { packed: { bytes: 0, values: 0 }, groups: null, cellsPerGroup: 1, cellsMax: 100 }
    expect(estimateMarks({ ...common, ...marks, raw: minutes }, statistics, NOW).partitions).toBe(DAYS)
  })

  it('counts no partition at whose edge a range ends or begins, and none that does not exist', () => {
    const range = { fromMs: START + DAY_MS, toMs: START + 2 * DAY_MS }
    expect(estimateCells({ ...cells, raw: [range] }, statistics, NOW).partitions).toBe(1)
    const before = { fromMs: START - 9 * DAY_MS, toMs: START }
    expect(estimateCells({ ...cells, raw: [before] }, statistics, NOW).partitions).toBe(0)
  })
})
