import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { storeEvents, storePartition, storeRollups, type TestEvent } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const HOUR = 3_600_000
const START = Date.UTC(2026, 9, 20)
const RANGE = { from: new Date(START), to: new Date(START + 2 * HOUR) }
const SHARES = { p50: 0.5, p95: 0.95, p99: 0.99 }
/** Values from which no event is far away: each list is one event name with as many users. */
const SETS = [[1, 1000], [0, 1200], [7], [-3, 0, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], ...randomSets()]

function randomSets(): number[][] {
  const values = fc.array(fc.integer({ min: -1000, max: 100_000 }), { minLength: 1, maxLength: 40 })
  return fc.sample(values, { numRuns: 20, seed: 4 })
}

describe('percentiles of few values', () => {
  let service: ServiceUnderTest
  let tenantId: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + 2 * HOUR })
    tenantId = await createTenant(service.database, 'acme')
    let position = 0
    const events = SETS.flatMap((values, set): TestEvent[] =>
      values.map((amount, index) => ({
        tenantId,
        event: `Set ${set}`,
        userId: `user-${index}`,
        timestampMs: START + index * 1000,
        properties: { amount, raw: amount },
        partition: 0,
        position: position++,
      })),
    )
    await storeEvents(service.database, events)
    const definitions = SETS.map((_, set) => ({ event: `Set ${set}`, dimensions: [], property: 'properties.amount' }))
    await storeRollups(service.database, events, definitions)
    await storePartition(service.database, { partition: 0, next: 9999, flushed: 9999 })
  })
  afterAll(() => service.close())

  it.each([
    ['rollups', 'properties.amount', 'rollup'],
    ['raw rows', 'properties.raw', 'raw'],
  ])('a percentile from %s is within 1 % of PostgreSQL’s percentile_disc', async (_, property, source) => {
    for (const [set, values] of SETS.entries()) {
      const { rows } = await service.database.query<{ exact: number[] }>(
        'select percentile_disc($1::float8[]) within group (order by v) as exact from unnest($2::float8[]) v',
        [Object.values(SHARES), values],
      )
      const request = queryOf({ kind: 'percentiles', event: `Set ${set}`, metric: { agg: 'p95', property }, ...RANGE })
      const answer = await service.query(request, tenantId)
      const found = answer.data[0]?.values ?? {}
      expect({ source: answer.meta?.source, count: found.count }).toEqual({ source, count: values.length })
      Object.keys(SHARES).forEach((name, index) => {
        const exact = rows[0]?.exact[index] as number
        expect(Math.abs((found[name] as number) - exact)).toBeLessThanOrEqual(Math.abs(exact) * 0.01)
      })
    }
  })
})
