import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import { storeEvents, storePartition, storeRollups, type TestEvent } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const HOUR = 3_600_000
const START = Date.UTC(2026, 9, 20)
const RANGE = { from: new Date(START), to: new Date(START + 2 * HOUR) }

/** Numbers as clients may send them; several are one double, and some lie half way between two. */
const TEXTS = [
  ...['9007199254740991', '9007199254740992', '9007199254740993', '9007199254740994', '9007199254740993.000000000001'],
  ...['0.1', '0.10000000000000000555', '0.1000000000000000124', '0.10000000000000002', '1.00', '1', '1e0', '0', '-0'],
  ...['12345678901234567890', '12345678901234567891', '-12345678901234567890', '1e300', '4.9e-324', '2.5e-324'],
  ...['3.14159265358979323846', '3.141592653589793', '1.7976931348623158e308', '1.797693134862315708145e308', '-0.1'],
]

describe('a number with more digits than a double has', () => {
  let service: ServiceUnderTest
  let tenantId: number
  let events: TestEvent[]

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + 2 * HOUR })
    tenantId = await createTenant(service.database, 'acme')
    events = TEXTS.map((text, position) => ({
      tenantId,
      event: 'Paid',
      userId: `user-${position}`,
      timestampMs: START + position * 1000,
      properties: { amount: Number(text), raw: Number(text) },
      partition: 0,
      position,
    }))
    await storeEvents(service.database, events)
    // JSON.stringify would have cut the digits off that the gateway passes on.
    await service.database.query(
      `update events e set properties = jsonb_build_object('amount', t.text::jsonb, 'raw', t.text::jsonb)
        from unnest($1::text[]) with ordinality t (text, place) where e.position = t.place - 1`,
      [TEXTS],
    )
    await storeRollups(service.database, events, [{ event: 'Paid', dimensions: ['properties.amount'], property: null }])
    await storePartition(service.database, { partition: 0, next: 9999, flushed: 9999 })
  })
  afterAll(() => service.close())

  /** Of `amount` there are rollups, of `raw`, which is the same, there are none. */
  const run = (fields: Partial<RunQueryRequest>) =>
    service.query(queryOf({ event: 'Paid', kind: 'breakdown', ...RANGE, ...fields }), tenantId)
  const count = async (property: string, op: string, value: unknown) => {
    const filters = [{ property, op, valueJson: JSON.stringify(value) }]
    const answer = await run({ kind: 'timeseries', interval: '1d', filters })
    return { counted: answer.data.reduce((sum, { value: one }) => sum + (one ?? 0), 0), source: answer.meta?.source }
  }
  const groupsBy = async (property: string, limit = 1000) => {
    const groups: [string | undefined, number | null][] = []
    let cursor = ''
    do {
      const page = await run({ groupBy: [property], limit, cursor })
      groups.push(...page.data.map(({ group, value }): (typeof groups)[number] => [group?.[property], value]))
      cursor = page.nextCursor
    } while (cursor !== '')
    return groups
  }

  const operand = fc.oneof(
    fc.constantFrom(...TEXTS).map(Number),
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -2, max: 2 }),
  )
  const HOLDS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
    eq: (a, b) => a === b,
    ne: (a, b) => a !== b,
    gt: (a, b) => a > b,
    gte: (a, b) => a >= b,
    lt: (a, b) => a < b,
    lte: (a, b) => a <= b,
  }

  it.each(Object.keys(HOLDS))('is read as the nearest double by the filter %s', async (op) => {
    await fc.assert(
      fc.asyncProperty(operand, async (value) => {
        const expected = TEXTS.filter((text) => HOLDS[op]?.(Number(text), value)).length
        expect(await count('properties.raw', op, value)).toEqual({ counted: expected, source: 'raw' })
      }),
      { numRuns: 30 },
    )
  })

  it.each(['eq', 'ne'])('is found by %s from rollups as from raw rows', async (op) => {
    for (const text of TEXTS) {
      const fromRollups = await count('properties.amount', op, Number(text))
      expect(fromRollups).toEqual({
        counted: (await count('properties.raw', op, Number(text))).counted,
        source: 'rollup',
      })
    }
  })

  it('is in one group with all numbers of the same double, on every page, from rollups and from raw rows', async () => {
    const expected = new Map<string, number>()
    for (const text of TEXTS) expected.set(String(Number(text)), (expected.get(String(Number(text))) ?? 0) + 1)
    const fromRaw = await groupsBy('properties.raw')
    expect(new Map(fromRaw)).toEqual(expected)
    expect(await groupsBy('properties.amount')).toEqual(fromRaw)
    expect(await groupsBy('properties.raw', 3)).toEqual(fromRaw)
  })

  it('is found by the value of its group, as a number and as a string', async () => {
    for (const [text, value] of await groupsBy('properties.raw')) {
      expect((await count('properties.raw', 'eq', Number(text))).counted).toBe(value)
      expect((await count('properties.raw', 'in', [text, 'another'])).counted).toBe(value)
    }
  })
})
