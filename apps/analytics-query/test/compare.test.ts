import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import { storeEvents, storeRollups, type TestEvent } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const HOUR = 3_600_000
/** The clocks of Berlin went back on 25 October. */
const START = Date.parse('2026-10-23T22:00:00Z')
const NOW = START + 97 * HOUR

describe('a comparison with the previous period', () => {
  let service: ServiceUnderTest
  let acme: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => NOW })
    acme = await createTenant(service.database, 'acme')
    // In the hour h of local time h events, from the second day on twice as many; one kind only from the third day on.
    const events: TestEvent[] = []
    for (let hour = 0; hour < 97; hour++) {
      const timestampMs = START + hour * HOUR
      const local = Number(
        new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', hour: 'numeric', hourCycle: 'h23' }).format(
          timestampMs,
        ),
      )
      for (let count = local * (hour < 24 ? 1 : 2); count > 0; count--) {
        const kind = hour >= 49 && count % 3 === 0 ? 'new' : 'old'
        events.push({
          tenantId: acme,
          event: 'Seen',
          userId: `user-${count}`,
          timestampMs: timestampMs + count,
          properties: { kind },
          partition: 0,
          position: events.length,
        })
      }
    }
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, [{ event: 'Seen', dimensions: ['properties.kind'], property: null }])
  })
  afterAll(() => service.close())

  const run = (fields: Partial<RunQueryRequest>) => service.query(queryOf(fields), acme)
  const day = (from: string, to: string) => ({ from: new Date(from), to: new Date(to), timezone: 'Europe/Berlin' })
  const second = day('2026-10-25T00:00:00+02:00', '2026-10-26T00:00:00+01:00')
  const third = day('2026-10-26T00:00:00+01:00', '2026-10-27T00:00:00+01:00')

  it('adds to each hour the value at the same local time of the day before', async () => {
    const { data } = await run({ ...second, interval: '1h', compare: 'previous' })
    expect(data.map(({ value, previous }) => [value, previous])).toEqual([
      ...[0, 1, 2].map((hour) => [2 * hour, hour]),
      [4, null],
      ...Array.from({ length: 21 }, (_, index) => [2 * (index + 3), index + 3]),
    ])
  })

  it('counts both of the hours of the day before that had the same local time', async () => {
    const { data } = await run({ ...third, interval: '1h', compare: 'previous' })
    expect(data.map(({ previous }) => previous)).toEqual(
      Array.from({ length: 24 }, (_, hour) => (hour === 2 ? 8 : 2 * hour)),
    )
    const users = await run({
      ...third,
      interval: '1h',
      metric: { agg: 'uniques', property: '' },
      compare: 'previous',
    })
    expect(users.data[2]).toMatchObject({ previous: 4 })
  })

  it('adds to each group its value in the previous period, and null when the group did not exist then', async () => {
    const { data } = await run({ ...third, kind: 'breakdown', groupBy: ['properties.kind'], compare: 'previous' })
    expect(data.map(({ group, previous }) => [group, previous])).toEqual([
      [{ 'properties.kind': 'new' }, null],
      [{ 'properties.kind': 'old' }, 556],
    ])
  })

  it('of uniques counts the users of the previous period', async () => {
    const steps = ['Seen', 'Seen'].map((event) => ({ event, filters: [] }))
    const { data } = await run({ ...second, kind: 'funnel', steps, compare: 'previous' })
    expect(data.map(({ step, value, previous }) => [step, value, previous])).toEqual([
      [0, 46, 23],
      [1, 44, 22],
    ])
    const sessions = await run({ ...second, kind: 'sessions', compare: 'previous' })
    expect(sessions.data[0]).toMatchObject({ value: 556, previous: 276 })
  })

  it('keeps the comparison on all pages', async () => {
    const fields = { ...third, groupBy: ['properties.kind'], interval: '1h', compare: 'previous' }
    const all = await run(fields)
    const seen: unknown[] = []
    let cursor = ''
    do {
      const page = await run({ ...fields, limit: 5, cursor })
      seen.push(...page.data)
      cursor = page.nextCursor
    } while (cursor !== '')
    expect(seen).toEqual(all.data)
  })

  it.each<[string, (number | null)[]]>([
    ['', [0, 2]],
    ['zero', [0, 2]],
    ['null', [null, 2]],
    ['none', [2]],
  ])('fills empty buckets as requested: "%s"', async (fill, expected) => {
    const { from } = third
    const range = { from, to: new Date(from.getTime() + 2 * HOUR) }
    expect((await run({ ...range, interval: '1h', fill })).data.map(({ value }) => value)).toEqual(expected)
    const sessions = await run({ ...range, kind: 'sessions', interval: '1h', fill })
    expect(sessions.data.map(({ value }) => value)).toEqual(expected)
  })

  it('fills the empty buckets of every group when requested', async () => {
    const { from } = third
    const fields = { from, to: new Date(from.getTime() + 3 * HOUR), interval: '1h', groupBy: ['properties.kind'] }
    expect((await run(fields)).data.map(({ value }) => value)).toEqual([2, 1, 3])
    expect((await run({ ...fields, fill: 'zero' })).data.map(({ value }) => value)).toEqual([0, 0, 0, 2, 1, 3])
  })

  it.each<[string, Partial<RunQueryRequest>, string]>([
    ['another comparison', { compare: 'next' }, 'INVALID_COMPARE'],
    ['another filling', { fill: 'linear' }, 'INVALID_FILL'],
    ['a funnel of one step', { kind: 'funnel', steps: [{ event: 'Seen', filters: [] }] }, 'INVALID_STEPS'],
    [
      'a step without a name',
      { kind: 'funnel', steps: ['Seen', ''].map((event) => ({ event, filters: [] })) },
      'INVALID_STEPS',
    ],
    ['a window of years', { kind: 'sessions', windowMs: 10n ** 12n }, 'INVALID_WINDOW'],
    ['retention by the hour', { kind: 'retention', interval: '1h' }, 'INVALID_INTERVAL'],
    ['too many periods', { kind: 'retention', periods: 1000 }, 'INVALID_PERIODS'],
  ])('rejects %s with a code of its own', async (_title, fields, code) => {
    await expect(run(fields)).rejects.toMatchObject({ code, kind: 'invalid' })
  })
})
