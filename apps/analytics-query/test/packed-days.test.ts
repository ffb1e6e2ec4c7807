import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { RunQueryRequest } from '@millrace/contracts'
import type { Database, Transaction } from '@millrace/database'
import fc from 'fast-check'
import { DayPacker } from '../src/journeys/packing/day-packer.js'
import { storeEvents, storePartition, type TestEvent, waitUntilNotedChangesAreOld } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const START = Date.UTC(2026, 9, 20)
const DAYS = 6
const DAY = 86_400_000
const MINUTE = 60_000
const STREAM = { stream: 'events', consumerGroup: 'events-store' }

function generate(tenantId: number, visits: number, seed: number): TestEvent[] {
  let state = seed
  const next = () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
  const events: TestEvent[] = []
  for (let visit = 0; visit < visits; visit++) {
    const user = Math.floor(40 * next() ** 2)
    let timestampMs = START + Math.floor(next() * DAYS * DAY)
    for (let left = 1 + Math.floor(next() * 5); left > 0; left--) {
      const event = ['View', 'Add', 'Buy'][Math.floor(next() * 3)] as string
      events.push({
        tenantId,
        event,
        userId: `user-${user}`,
        timestampMs,
        properties: null,
        partition: user % 4,
        position: events.length,
      })
      timestampMs += [0, 0, 7000, 4 * MINUTE, 20 * MINUTE][Math.floor(next() * 5)] as number
    }
  }
  return events
}

const instant = fc.oneof(
  fc.integer({ min: 0, max: DAYS * 24 }).map((hours) => START + hours * 3_600_000),
  fc.integer({ min: -DAY, max: (DAYS + 1) * DAY }).map((ms) => START + ms),
)
const range = fc
  .tuple(instant, instant)
  .filter(([a, b]) => a !== b)
  .map(([a, b]) => ({ from: new Date(Math.min(a, b)), to: new Date(Math.max(a, b)) }))
const name = fc.constantFrom('View', 'Add', 'Buy')
const question = fc.oneof(
  fc.record({
    kind: fc.constant('funnel'),
    range,
    steps: fc.array(name, { minLength: 2, maxLength: 3 }),
    windowMs: fc.constantFrom(7n * 24n * 3_600_000n, 3_600_000n),
    afterRange: fc.boolean(),
    compare: fc.constantFrom('', 'previous'),
  }),
  fc.record({
    kind: fc.constant('retention'),
    range,
    event: fc.constantFrom('', 'View'),
    returnEvent: fc.constantFrom('', 'Buy'),
    interval: fc.constantFrom('1d', '1w'),
    weekStart: fc.constantFrom('', 'sunday', 'saturday'),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu'),
  }),
  fc.record({
    kind: fc.constant('stickiness'),
    range,
    event: fc.constantFrom('', 'View'),
    interval: fc.constantFrom('1d', '1w'),
    weekStart: fc.constantFrom('', 'sunday', 'saturday'),
    timezone: fc.constantFrom('UTC', 'Europe/Berlin', 'Asia/Kathmandu'),
    compare: fc.constantFrom('', 'previous'),
  }),
  fc.record({ kind: fc.constant('sessions'), range, event: fc.constantFrom('', 'View'), interval: fc.constant('1d') }),
)
type Question = { kind: string; range: { from: Date; to: Date }; steps?: string[] } & Partial<RunQueryRequest>

describe('packed days', () => {
  let service: ServiceUnderTest
  let acme: number
  let other: number
  let packer: DayPacker

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY, hasPackedDays: true })
    acme = await createTenant(service.database, 'acme')
    other = await createTenant(service.database, 'other')
    await storeEvents(service.database, [...generate(acme, 500, 1), ...generate(other, 100, 2)])
    packer = new DayPacker(STREAM, { database: service.database })
  })
  afterAll(() => service.close())

  async function setWatermark(ms: number): Promise<void> {
    for (let partition = 0; partition < 4; partition++)
      await storePartition(service.database, { partition, next: 1, flushed: 1 })
    await service.database.query('update stream_partitions set watermark = $1', [new Date(ms).toISOString()])
  }

  const toRequest = ({ range, steps, ...fields }: Question) =>
    queryOf({
      ...fields,
      ...range,
      ...(steps !== undefined && { steps: steps.map((event) => ({ event, filters: [] })) }),
      fill: 'none',
    })
  /** The same question in a way that packed days cannot answer. */
  const toRaw = (request: RunQueryRequest) => ({
    ...request,
    filters: [{ property: 'event', op: 'exists', valueJson: '' }],
  })

  /** Asks in both ways; resolves to the sources of the first. */
  async function expectSame(runs: number, seed: number): Promise<Set<string>> {
    const sources = new Set<string>()
    await fc.assert(
      fc.asyncProperty(question, async (asked) => {
        const request = toRequest(asked as Question)
        const [packed, raw] = [await service.query(request, acme), await service.query(toRaw(request), acme)]
        sources.add(packed.meta?.source ?? '')
        expect(raw.meta?.source).toBe('raw')
        expect([packed.data, packed.summary]).toEqual([raw.data, raw.summary])
      }),
      { numRuns: runs, seed },
    )
    return sources
  }

  const whole = { from: new Date(START + 60 * MINUTE), to: new Date(START + 2 * DAY) }
  const sessionsOf = async (tenantId: number) =>
    (await service.query(queryOf({ kind: 'sessions', ...whole }), tenantId)).data[0]?.value

  it('are packed when every partition has passed their end, and give the same answers as raw rows', async () => {
    await setWatermark(START + 3 * DAY + 59_000)
    expect(await packer.pack()).toBe(2)
    await setWatermark(START + 4 * DAY + 60_000)
    expect(await packer.pack()).toBe(2)
    expect(await packer.pack()).toBe(0)
    expect(await expectSame(40, 3)).toEqual(new Set(['rollup', 'raw', 'mixed']))
  })

  it('are not shown to another tenant', async () => {
    expect(await sessionsOf(999)).toBe(0)
    expect(await sessionsOf(other)).not.toBe(await sessionsOf(acme))
  })

  it('are read from raw rows from the moment that a late event is stored, and are packed again', async () => {
    const { database } = service
    const late = { tenantId: acme, event: 'Late', userId: 'late', timestampMs: START + DAY + 5, properties: null }
    const before = await sessionsOf(acme)
    await storeEvents(database, [{ ...late, partition: 0, position: 90_000 }])
    const notice = `insert into window_versions (tenant_id, event, day, changed_at) values ($1, 'Late', $2, now() - interval '2 minutes')`
    await database.query(notice, [acme, '2026-10-21'])
    expect(await sessionsOf(acme)).toBe(Number(before) + 1)
    const sourceOf = async (event: string) =>
      (await service.query(queryOf({ kind: 'sessions', event, ...whole }), acme)).meta?.source
    expect([await sourceOf(''), await sourceOf('Late'), await sourceOf('View')]).toEqual(['mixed', 'mixed', 'rollup'])
    await expectSame(15, 4)
    await waitUntilNotedChangesAreOld(database)
    expect(await packer.pack()).toBe(1)
    expect([await sourceOf(''), await sourceOf('Late')]).toEqual(['rollup', 'rollup'])
    expect(await sessionsOf(acme)).toBe(Number(before) + 1)
  })

  it('are packed at most once a minute, although a long transaction makes old changes look new', async () => {
    const { database } = service
    await database.query(`update window_versions set changed_xid = '9000000000000000000'`)
    await database.query('update journey_marks set made_at = now()')
    expect(await packer.pack()).toBe(0)
    await database.query(`update journey_marks set made_at = now() - interval '2 minutes'`)
    expect(await packer.pack()).toBe(1)
    expect(await packer.pack()).toBe(0)
    await database.query('delete from window_versions')
  })

  it('are not used when late events were not read for 13 days', async () => {
    await service.database.query(`update journey_days set checked_at = now() - interval '14 days'`)
    expect((await service.query(queryOf({ kind: 'sessions', ...whole }), acme)).meta?.source).toBe('raw')
    expect(await packer.pack()).toBe(4)
    expect((await service.query(queryOf({ kind: 'sessions', ...whole }), acme)).meta?.source).toBe('rollup')
  })

  it('are searched for once for several days to pack', async () => {
    await service.database.query('truncate journey_days, journey_marks')
    let looks = 0
    const listen = (tx: Transaction): Transaction => ({
      query: <Row>(...args: Parameters<Transaction['query']>) => tx.query<Row>(...args),
      pipeline: (steps) => {
        looks += steps.filter((step) => 'text' in step && step.text.includes('pg_partition_tree')).length
        return tx.pipeline(steps)
      },
      finish: (steps) => tx.finish(steps),
      copyBinary: (target, chunks) => tx.copyBinary(target, chunks),
      atCommit: (statement) => tx.atCommit(statement),
      savepoint: (fn) => tx.savepoint(fn),
    })
    const transaction: Database['transaction'] = (fn, options) =>
      service.database.transaction((tx) => fn(listen(tx)), options)
    expect(await new DayPacker(STREAM, { database: { transaction } }).pack()).toBe(4)
    expect(looks).toBe(1)
  })

  it('are packed with a pause after each, in which packing can be stopped', async () => {
    const { database } = service
    await database.query('truncate journey_days, journey_marks')
    const packedDays = async () => (await database.query('select from journey_days')).rowCount
    const seen: number[] = []
    const resting = new DayPacker(STREAM, {
      database,
      rest: async (tookMs, stopping) => {
        expect(tookMs).toBeGreaterThan(0)
        seen.push(await packedDays())
        if (seen.length === 3) resting.stop()
        expect(stopping.aborted).toBe(seen.length === 3)
      },
    })
    expect(await resting.pack()).toBe(3)
    expect(seen).toEqual([1, 2, 3])
    expect(await packer.pack()).toBe(1)
  })

  it('are deleted with the partition of their events', async () => {
    await service.database.query('drop table events_20261020')
    const answer = await service.query(queryOf({ kind: 'sessions', ...whole, interval: '1d', fill: 'none' }), acme)
    expect(answer.data.map(({ time }) => time)).toEqual(['2026-10-21T00:00:00.000Z'])
    await packer.pack()
    const { rows } = await service.database.query('select day::text as day from journey_days order by day')
    expect(rows[0]).toEqual({ day: '2026-10-21' })
  })
})
