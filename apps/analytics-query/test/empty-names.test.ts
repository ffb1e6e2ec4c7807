import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { storeEvents, storePartition, storeRollups, type TestEvent } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const HOUR = 3_600_000
const START = Date.UTC(2026, 9, 20)
const RANGE = { from: new Date(START), to: new Date(START + HOUR) }
const CITIES = ['Paris', '', null, undefined, 'Paris', '']

describe('a group by a field that is empty in some events', () => {
  let service: ServiceUnderTest
  let tenantId: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + HOUR })
    tenantId = await createTenant(service.database, 'acme')
    const events = CITIES.map(
      (city, index): TestEvent => ({
        tenantId,
        event: 'Visit',
        userId: `user-${index}`,
        timestampMs: START + index * 1000,
        properties: { city, town: city },
        partition: 0,
        position: index,
      }),
    )
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, [{ event: 'Visit', dimensions: ['properties.city'], property: null }])
    await storePartition(service.database, { partition: 0, next: 9999, flushed: 9999 })
  })
  afterAll(() => service.close())

  const run = (fields: Partial<RunQueryRequest>) =>
    service.query(queryOf({ event: 'Visit', ...RANGE, ...fields }), tenantId)

  it.each([
    ['rollups', 'properties.city', 'rollup'],
    ['raw rows', 'properties.town', 'raw'],
  ])('has no name "" from %s: the events are in the group of those without a value', async (_, field, source) => {
    for (const kind of ['top', 'breakdown', 'timeseries', 'uniques']) {
      const { data, meta } = await run({ kind, groupBy: [field], ...(kind === 'timeseries' && { interval: '1h' }) })
      expect(meta?.source).toBe(source)
      expect(new Map(data.map(({ group, value }) => [group?.[field] ?? null, value]))).toEqual(
        new Map([
          [null, 4],
          ['Paris', 2],
        ]),
      )
      expect(data).toHaveLength(2)
    }
    const filters = [{ property: field, op: 'eq', valueJson: '""' }]
    expect((await run({ kind: 'top', groupBy: ['event'], filters })).data.map(({ value }) => value)).toEqual([2])
  })

  it.each(['sessions', 'retention', 'stickiness', 'funnel'])('has no name "" in %s', async (kind) => {
    const steps = kind === 'funnel' ? ['Visit', 'Visit'].map((name) => ({ event: name, filters: [] })) : []
    const event = kind === 'funnel' ? '' : 'Visit'
    const { data } = await run({ kind, event, steps, groupBy: ['properties.town'] })
    expect(new Set(data.map(({ group }) => group?.['properties.town'] ?? null))).toEqual(new Set([null, 'Paris']))
  })
})
