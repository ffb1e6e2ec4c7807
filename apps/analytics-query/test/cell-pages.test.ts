import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { CURSOR_LENGTH_MAX, type RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import { storeEvents, type TestEvent } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const HOUR = 3_600_000
const START = Date.UTC(2026, 9, 20)
const RANGE = { from: new Date(START), to: new Date(START + HOUR) }
/** As the service under test has it. */
const CELLS_MAX = 10_000

const TEXTS = [
  ...[
    '',
    'a',
    'b',
    'A',
    'é',
    'z',
    '1',
    'true',
    'null',
    'a b',
    '\u{e000}',
    '\u{ffff}',
    '\u{10000}',
    '\u{1f600}',
    '\u{10ffff}',
  ],
  ...['a\u{e000}', 'a\u{1f600}', '\u{10ffff}\u{e000}', '\u{10ffff}\u{1f600}', '\u{10ffff}a', '\u{10ffff}b', '\u{d7ff}'],
]
/** JSON as clients may send it; some are one group. */
const JSONS = [
  ...TEXTS.map((text) => JSON.stringify(text)),
  ...[
    '1',
    '1.00',
    '1e0',
    'true',
    'false',
    'null',
    '[1]',
    '{"a": 1}',
    '0',
    '-0',
    '-2.5',
    '0.1',
    '0.10000000000000000555',
  ],
  ...['0.000001', '1e-7', '1.5e-7', '1e-10', '1e15', '123456789012345678e-5', '9007199254740991', '-1e15', '1e-300'],
]
/** Longer than a cursor and alike at the beginning; the last ones have characters of three and four bytes. */
const LONG = ['a', 'b', '', 'é', '\u{10000}'].flatMap((end) =>
  ['x', '\u{ffff}', '\u{1f600}'].map((character) => JSON.stringify(character.repeat(2_500) + end)),
)
/** Numbers whose texts are left to JavaScript. */
const ODD = ['9007199254740992', '9007199254740993', '1e21', '1e23', '12345678901234567890', '5e-324', '-1e300']

describe('a page of cells that PostgreSQL sorts', () => {
  let service: ServiceUnderTest
  let tenantId: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + 2 * HOUR })
    tenantId = await createTenant(service.database, 'acme')
    const values = ['Plain', 'Odd', 'Long'].flatMap((event) =>
      [...(event === 'Long' ? LONG : JSONS), ...(event === 'Odd' ? ODD : [])].flatMap((json, at) =>
        // So that there are many ties and some that are none.
        Array.from({ length: 1 + (at % 3) }, () => ({ event, json })),
      ),
    )
    const events = values.map(({ event }, position): TestEvent => {
      const user = TEXTS[(position * 7) % TEXTS.length] as string
      return {
        tenantId,
        event,
        userId: position % 5 === 0 ? null : `u${user}`,
        anonymousId: user,
        timestampMs: START + position * 1000,
        type: position % 3,
        properties: position % 4 === 0 ? {} : { amount: (position % 9) / 2 - 2 },
        partition: 0,
        position,
      }
    })
    await storeEvents(service.database, events)
    // JSON.stringify would have cut digits off.
    await service.database.query(
      `update events e set properties = e.properties || jsonb_build_object('v', t.text::jsonb)
        from unnest($1::text[]) with ordinality t (text, place) where e.position = t.place - 1`,
      [values.map(({ json }) => json)],
    )
    await service.database.query(
      `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, user_id, properties)
        select 100000 + n, n, $1::timestamptz, now(), $2, 0, 0, 'many-' || n, 'Many', 'user-' || case when n > ${CELLS_MAX} then n / 2 else n end,
          jsonb_build_object('url', '/' || n, 'ms', n)
        from generate_series(0, ${CELLS_MAX + 99}) n`,
      [RANGE.from.toISOString(), tenantId],
    )
    await service.database.query(
      `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, properties)
        select 200000 + n, n, $1::timestamptz, now(), $2, 0, 0, 'long-' || n, 'Many long', jsonb_build_object('url', repeat('/x', 2000) || n)
        from generate_series(0, ${CELLS_MAX + 99}) n`,
      [RANGE.from.toISOString(), tenantId],
    )
  })
  afterAll(() => service.close())

  const run = (fields: Partial<RunQueryRequest>) =>
    service.query(queryOf({ ...RANGE, explain: false, ...fields }), tenantId)
  /** Every page, and how many there were. A comparison has all cells put together in memory. */
  async function walk(fields: Partial<RunQueryRequest>, compare: string) {
    const data: unknown[] = []
    let [pages, cursor] = [0, '']
    do {
      const answer = await run({ ...fields, compare, cursor })
      expect(answer.meta?.source).toBe('raw')
      data.push(...answer.data.map(({ previous: _previous, ...point }) => point))
      cursor = answer.nextCursor
      pages++
    } while (cursor !== '')
    return { data, pages }
  }

  const question = fc.record({
    kind: fc.constantFrom('top', 'breakdown'),
    event: fc.constantFrom('Plain', 'Odd', 'Long'),
    groupBy: fc.constantFrom<string[][]>(
      ['user_id'],
      ['properties.v'],
      ['anonymous_id', 'type'],
      ['properties.v', 'user_id'],
      ['user_id', 'properties.amount', 'properties.v'],
    ),
    metric: fc
      .constantFrom('count', 'sum', 'avg', 'min', 'max', 'uniques', 'p95')
      .map((agg) => ({ agg, property: agg === 'count' || agg === 'uniques' ? '' : 'properties.amount' })),
    limit: fc.constantFrom(10, 30, 1000),
  })

  it('equals the page of cells that are sorted in memory, for every page', async () => {
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        expect(await walk(asked, '')).toEqual(await walk(asked, 'previous'))
      }),
      { numRuns: 12 },
    )
  })

  it.each<[string, Partial<RunQueryRequest>, (string | number)[]]>([
    ['users', { groupBy: ['user_id'] }, ['user-5001', 3]],
    ['addresses', { groupBy: ['properties.url'] }, ['/0', 1]],
    [
      'addresses by a sum',
      { groupBy: ['properties.url'], metric: { agg: 'sum', property: 'properties.ms' } },
      ['/10099', 10_099],
    ],
  ])('contains the top groups among more %s than QUERY_CELLS_MAX', async (_title, fields, expected) => {
    const asked = { kind: 'top', event: 'Many', limit: 5, ...fields }
    await expect(run({ ...asked, compare: 'previous' })).rejects.toMatchObject({ code: 'TOO_MANY_GROUPS' })
    const first = await run(asked)
    const [point] = first.data
    expect([Object.values(point?.group ?? {})[0], point?.value]).toEqual(expected)
    const second = await run({ ...asked, cursor: first.nextCursor })
    const both = [...first.data, ...second.data]
    expect(new Set(both.map(({ group }) => JSON.stringify(group))).size).toBe(10)
    expect(both.map(({ value }) => value)).toEqual(both.map(({ value }) => value).sort((a, b) => Number(b) - Number(a)))
  })

  it('continues a breakdown with more groups than QUERY_CELLS_MAX', async () => {
    const asked = { kind: 'breakdown', event: 'Many', groupBy: ['properties.url'], limit: 1000 }
    const { data } = await walk(asked, '')
    const expected = Array.from({ length: CELLS_MAX + 100 }, (_, n) => `/${n}`).sort()
    expect(data.map((point) => (point as { group: Record<string, string> }).group['properties.url'])).toEqual(expected)
  })

  it('continues exactly after a group whose name does not fit into a cursor, among more groups than QUERY_CELLS_MAX', async () => {
    const fields = { kind: 'breakdown', event: 'Many long', groupBy: ['properties.url'], limit: 500 }
    const [first, second] = [[], []] as string[][]
    let cursor = ''
    for (const names of [first, second]) {
      const answer = await run({ ...fields, cursor })
      names?.push(...answer.data.map(({ group }) => group?.['properties.url']?.slice(4_000) ?? ''))
      cursor = answer.nextCursor
      expect(cursor.length).toBeLessThanOrEqual(CURSOR_LENGTH_MAX)
    }
    const expected = Array.from({ length: CELLS_MAX + 100 }, (_, n) => `${n}`).sort()
    expect([first, second]).toEqual([expected.slice(0, 500), expected.slice(500, 1000)])
    await service.database.query(`delete from events where message_id = 'long-' || $1`, [expected[999]])
    await expect(run({ ...fields, cursor })).rejects.toMatchObject({ code: 'CURSOR_OUTDATED' })
  })

  it('has a cursor within CURSOR_LENGTH_MAX and continues exactly, for every kind, when groups have long names', async () => {
    for (const kind of ['timeseries', 'breakdown', 'top', 'uniques', 'sessions', 'retention', 'funnel']) {
      const steps = kind === 'funnel' ? ['Long', 'Plain'].map((event) => ({ event, filters: [] })) : []
      const event = kind === 'funnel' ? '' : 'Long'
      const fields = { kind, event, steps, groupBy: ['properties.v', 'user_id'] }
      const whole = await run({ ...fields, limit: 1000 })
      expect(whole.data.length).toBeGreaterThan(10)
      const data: unknown[] = []
      let cursor = ''
      do {
        const answer = await run({ ...fields, limit: 4, cursor })
        data.push(...answer.data)
        cursor = answer.nextCursor
        expect(cursor.length).toBeLessThanOrEqual(CURSOR_LENGTH_MAX)
      } while (cursor !== '')
      expect(data).toEqual(whole.data)
    }
  })
})
