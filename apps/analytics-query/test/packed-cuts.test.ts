import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import fc from 'fast-check'
import { CutWishes } from '../src/journeys/cut-wishes.js'
import { DayPacker } from '../src/journeys/packing/day-packer.js'
import { storeEvents, storePartition, type TestEvent, waitUntilNotedChangesAreOld } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const START = Date.UTC(2026, 9, 24)
const DAYS = 5
const DAY = 86_400_000
const MINUTE = 60_000
const STREAM = { stream: 'events', consumerGroup: 'events-store' }
const NAMES = ['View', 'Add', 'Buy']

/** Visits of few users with events at one instant, stored in no order; fields hold texts, numbers, booleans, lists, null, nothing. */
function generate(tenantId: number, visits: number, seed: number): TestEvent[] {
  let state = seed
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  const pick = <T>(items: readonly T[]): T => items[Math.floor(next() * items.length)] as T
  const events: TestEvent[] = []
  for (let visit = 0; visit < visits; visit++) {
    const user = Math.floor(30 * next() ** 2)
    let timestampMs = START + Math.floor(next() * DAYS * DAY)
    for (let left = 1 + Math.floor(next() * 5); left > 0; left--) {
      const plan = pick<unknown>(['free', 'pro', 3, '3', '', true, null, ['pro'], ['pro', 3], { a: 1 }])
      const properties = pick([
        null,
        { plan, 'the size': { of: Math.floor(next() * 9) } },
        { plan },
        { 'the size': 1.5 },
      ])
      events.push({
        tenantId,
        event: pick(NAMES),
        userId: `user-${user}`,
        timestampMs,
        properties,
        type: Math.floor(next() * 2),
        partition: user % 4,
        position: Math.floor(next() * 1e6),
      })
      timestampMs += pick([0, 0, 7000, 4 * MINUTE, 30 * MINUTE - 1, 30 * MINUTE])
    }
  }
  return events
}

const json = (property: string, op: string, value: unknown = null) => ({
  property,
  op,
  valueJson: JSON.stringify(value),
})
const filter = fc.constantFrom(
  json('properties.plan', 'eq', 'pro'),
  json('properties.plan', 'eq', 3),
  json('properties.plan', 'ne', 'pro'),
  json('properties.plan', 'in', ['free', true]),
  json('properties.plan', 'exists'),
  json('properties.plan', 'not_exists'),
  json('properties.plan', 'prefix', 'p'),
  json('properties.plan', 'contains', 'pro'),
  json('properties.plan', 'any', [3, 'free']),
  json('properties.plan', 'all', ['3', 'pro']),
  json('properties.the size.of', 'gte', 4),
  json('properties.the size.of', 'not_in', [1, 2]),
  json('properties.the size', 'lt', 2),
  json('type', 'eq', 'identify'),
  json('user_id', 'prefix', 'user-1'),
  json('event', 'ne', 'Add'),
)
const filters = fc.array(filter, { maxLength: 2 })
const groupBy = fc.constantFrom<string[]>(
  [],
  ['properties.plan'],
  ['properties.the size.of'],
  ['type', 'properties.plan'],
)
const instant = fc.oneof(
  fc.integer({ min: 0, max: DAYS * 24 }).map((hours) => START + hours * 3_600_000),
  fc.integer({ min: 0, max: DAYS * DAY }).map((ms) => START + ms),
)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: new Date(Math.min(a, b)), to: new Date(Math.max(a, b)) }))
const step = fc.record({ event: fc.constantFrom(...NAMES), filters })
const question = fc.oneof(
  fc.record({
    kind: fc.constant('funnel'),
    range,
    filters,
    groupBy,
    steps: fc.array(step, { minLength: 2, maxLength: 3 }),
  }),
  fc.record({
    kind: fc.constant('retention'),
    range,
    filters,
    groupBy,
    event: fc.constantFrom('', 'View'),
    returnEvent: fc.constantFrom('', 'Buy'),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu'),
  }),
  fc.record({
    kind: fc.constant('stickiness'),
    range,
    filters,
    groupBy,
    event: fc.constantFrom('', 'View'),
    timezone: fc.constantFrom('UTC', 'Asia/Kathmandu'),
  }),
  fc.record({
    kind: fc.constant('sessions'),
    windowMs: fc.constantFrom(0n, 0n, 240_000n, 1_800_001n, 7_200_000n),
    range,
    filters: fc.oneof(fc.constant<RunQueryRequest['filters']>([]), filters),
    groupBy: fc.oneof(fc.constant<string[]>([]), groupBy),
    event: fc.constantFrom('', 'View'),
    interval: fc.constant('1d'),
  }),
)
type Question = { range: { from: Date; to: Date } } & Partial<RunQueryRequest>
const toRequest = ({ range: { from, to }, ...fields }: Question) => queryOf({ ...fields, from, to, fill: 'none' })
/** The same question with a filter that always holds and is too long to be packed for. */
const toRaw = (request: RunQueryRequest) => ({
  ...request,
  filters: [...request.filters, json('event', 'ne', 'x'.repeat(5_000))],
})

describe('days packed for filters and groups', () => {
  const wishes = new CutWishes(() => 0)
  let service: ServiceUnderTest
  let acme: number
  let other: number
  let packer: DayPacker
  let isBusy = false

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY, hasPackedDays: true, wishes })
    const { database } = service
    acme = await createTenant(database, 'acme')
    other = await createTenant(database, 'other')
    await storeEvents(database, [...generate(acme, 400, 1), ...generate(other, 100, 2)])
    for (let partition = 0; partition < 4; partition++)
      await storePartition(database, { partition, next: 1, flushed: 1 })
    await database.query('update stream_partitions set watermark = $1', [
      new Date(START + 4 * DAY + MINUTE).toISOString(),
    ])
    packer = new DayPacker(STREAM, { database, wishes, isBusy: () => isBusy })
    await packer.pack()
  })
  afterAll(() => service.close())

  const ask = (request: RunQueryRequest, tenantId = acme) => service.query(request, tenantId)

  /** Asks, lets what was asked for be packed, and asks again; resolves to the sources then. */
  async function expectSame(numRuns: number, seed: number): Promise<Set<string>> {
    const sources = new Set<string>()
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        const request = toRequest(asked as Question)
        const first = await ask(request)
        await packer.pack()
        const [packed, raw] = [await ask(request), await ask(toRaw(request))]
        sources.add(packed.meta?.source ?? '')
        expect(raw.meta?.source).toBe('raw')
        expect([first.data, first.summary]).toEqual([raw.data, raw.summary])
        expect([packed.data, packed.summary]).toEqual([raw.data, raw.summary])
      }),
      { numRuns, seed },
    )
    return sources
  }

  it('give the same answers as raw rows, before and after they are packed', async () => {
    expect(await expectSame(30, 7)).toEqual(new Set(['rollup', 'mixed', 'raw']))
  })

  const steps = NAMES.map((event) => ({ event, filters: [] }))
  const whole = { from: new Date(START + 60 * MINUTE), to: new Date(START + 2 * DAY) }
  const byPlan = (value: unknown) =>
    queryOf({ kind: 'funnel', steps, ...whole, filters: [json('properties.plan', 'eq', value)] })
  const sourceOf = async (request: RunQueryRequest, tenantId = acme) => (await ask(request, tenantId)).meta?.source

  it('serve every value of a field once one value was requested', async () => {
    await ask(byPlan('pro'))
    await packer.pack()
    expect([await sourceOf(byPlan('free')), await sourceOf(byPlan('nobody has it'))]).toEqual(['rollup', 'rollup'])
    expect(await sourceOf(queryOf({ kind: 'funnel', steps, ...whole, groupBy: ['properties.plan'] }))).toBe('rollup')
  })

  it('are packed only for the tenant that requested them', async () => {
    expect(await sourceOf(byPlan('pro'), other)).toBe('raw')
  })

  it('are read from raw rows from the moment that a late event is stored, and are packed again', async () => {
    const { database } = service
    const views = queryOf({
      kind: 'sessions',
      event: 'View',
      ...whole,
      filters: [json('properties.plan', 'eq', 'late')],
    })
    await ask(views)
    await packer.pack()
    expect([await sourceOf(views), (await ask(views)).data[0]?.value]).toEqual(['rollup', 0])
    const late = {
      tenantId: acme,
      event: 'View',
      userId: 'late',
      timestampMs: START + DAY + 5,
      properties: { plan: 'late' },
    }
    await storeEvents(database, [{ ...late, partition: 0, position: 2_000_000 }])
    const notice = `insert into window_versions (tenant_id, event, day, changed_at) values ($1, 'View', $2, now() - interval '2 minutes')`
    await database.query(notice, [acme, '2026-10-25'])
    expect([await sourceOf(views), (await ask(views)).data[0]?.value]).toEqual(['mixed', 1])
    expect(await sourceOf({ ...views, event: 'Buy' })).not.toBe('raw')
    await expectSame(8, 8)
    await database.query(`update journey_cut_marks set made_at = now() - interval '2 minutes'`)
    await waitUntilNotedChangesAreOld(database)
    await packer.pack()
    expect([await sourceOf(views), (await ask(views)).data[0]?.value]).toEqual(['rollup', 1])
    await database.query('delete from window_versions')
  })

  it('are packed by the result of a filter when a field has too many values', async () => {
    const { database } = service
    const events = Array.from({ length: 600 }, (_, index) => ({
      tenantId: other,
      event: 'Item',
      userId: `user-${index % 50}`,
      timestampMs: START + DAY / 2 + index * 100,
      properties: { id: `item-${index}` },
      partition: 0,
      position: 3_000_000 + index,
    }))
    await storeEvents(database, events)
    await database.query('truncate journey_days, journey_marks')
    const one = queryOf({
      kind: 'sessions',
      event: 'Item',
      ...whole,
      filters: [json('properties.id', 'eq', 'item-7')],
    })
    const grouped = { ...one, filters: [], groupBy: ['properties.id'] }
    for (let turn = 0; turn < 2; turn++) {
      await ask(one, other)
      await ask(grouped, other)
      await packer.pack()
    }
    const answer = await ask(one, other)
    expect([answer.meta?.source, answer.data[0]?.value]).toEqual(['rollup', 1])
    // The second day has no such event, so nothing that would be too much.
    expect(await sourceOf(grouped, other)).toBe('mixed')
  })

  it('are packed one day at a time while queries wait in the queue', async () => {
    await ask(queryOf({ kind: 'funnel', steps, ...whole, filters: [json('properties.unasked', 'eq', 1)] }), other)
    isBusy = true
    expect([await packer.pack(), await packer.pack()]).toEqual([1, 1])
    isBusy = false
    expect(await packer.pack()).toBeGreaterThan(1)
    expect(await packer.pack()).toBe(0)
  })

  it('are deleted when they were not requested for two weeks, or when too many others were requested', async () => {
    const { database } = service
    const count = async () =>
      (
        await database.query<{ n: number }>(
          'select count(distinct cut_id)::integer as n from journey_cut_marks where tenant_id = $1',
          [acme],
        )
      ).rows[0]?.n
    await database.query(
      `update journey_cuts set asked_at = now() - interval '15 days' where tenant_id = $1 and cut like '%size%'`,
      [acme],
    )
    const before = Number(await count())
    await packer.pack()
    const kept = Number(await count())
    expect(kept).toBeLessThan(before)
    await database.query(
      `insert into journey_cuts (tenant_id, event, cut, from_day) select $1, 'None', '{"grain":"event","parts":[{"value":"properties.p' || n || '"}]}', '2027-01-01' from generate_series(1, 99) n`,
      [acme],
    )
    await packer.pack()
    expect(await count()).toBe(1)
  })
})
