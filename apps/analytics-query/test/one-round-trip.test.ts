import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Database, Step, Transaction } from '@millrace/database'
import { storeEvents, storePartition, storeRollups, type TestEvent } from './generated-data.js'
import { DAY, DAYS, DEFINITIONS, expectSame, generate, random, START, toRaw } from './rollup-questions.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

/** Counts what is sent for tenants: `finish` is a round trip with COMMIT. */
function countTrips() {
  const trips: ('finish' | 'other')[] = []
  const count = <Args extends unknown[], Value>(kind: 'finish' | 'other', fn: (...args: Args) => Value) => {
    return (...args: Args): Value => {
      trips.push(kind)
      return fn(...args)
    }
  }
  const listen = (tx: Transaction): Transaction => ({
    query: <Row>(...args: Parameters<Transaction['query']>) => {
      trips.push('other')
      return tx.query<Row>(...args)
    },
    pipeline: count('other', (steps: readonly Step[]) => tx.pipeline(steps)),
    finish: count('finish', (steps: readonly Step[]) => tx.finish(steps)),
    copyBinary: (target, chunks) => tx.copyBinary(target, chunks),
    atCommit: (statement) => tx.atCommit(statement),
    savepoint: (fn) => tx.savepoint(fn),
  })
  return {
    wrap: (database: Database): Database => ({
      ...database,
      withTenant: (tenantId, fn, options) => database.withTenant(tenantId, (tx) => fn(listen(tx)), options),
    }),
    take: () => trips.splice(0),
  }
}

describe('a query similar to an earlier one', () => {
  const trips = countTrips()
  const events: TestEvent[] = []
  let service: ServiceUnderTest
  let tenantId: number

  beforeAll(async () => {
    service = await startServiceUnderTest({ now: () => START + DAYS * DAY, wrap: trips.wrap })
    tenantId = await createTenant(service.database, 'acme')
    events.push(...generate(tenantId, 600, random(3)))
    await storeEvents(service.database, events)
    await storeRollups(service.database, events, DEFINITIONS)
    for (let partition = 0; partition < 4; partition++)
      await storePartition(service.database, { partition, next: 9999, flushed: 9999 })
  })
  afterAll(() => service.close())

  const request = queryOf({
    kind: 'breakdown',
    event: 'Flight',
    groupBy: ['properties.carrier'],
    from: new Date(START + DAY),
    to: new Date(START + 4 * DAY),
  })

  it('is read in one round trip when only raw rows answer it', async () => {
    const isAsked = ({ event, timestampMs }: TestEvent) => event === 'Flight' && timestampMs < START + 4 * DAY
    const user = events.find((event) => isAsked(event) && event.userId !== null)?.userId
    const ofOneUser = queryOf({
      kind: 'top',
      event: 'Flight',
      filters: [{ property: 'user_id', op: 'eq', valueJson: JSON.stringify(user) }],
      groupBy: ['event'],
      from: new Date(START),
      to: new Date(START + 4 * DAY),
    })
    const first = await service.query(ofOneUser, tenantId)
    trips.take()
    const second = await service.query(ofOneUser, tenantId)
    expect(trips.take()).toEqual(['finish'])
    expect(second.meta?.source).toBe('raw')
    expect(second.data).toEqual(first.data)
    expect(second.data[0]?.value).toBe(events.filter((event) => isAsked(event) && event.userId === user).length)
  })

  /** Asks, holds the answer to the raw rows, and returns the round trips. */
  async function ask() {
    trips.take()
    const answer = await service.query(request, tenantId)
    const taken = trips.take()
    expectSame(request, answer, await service.query(toRaw(request), tenantId))
    return { answer, taken }
  }

  it('is read in one round trip', async () => {
    await ask()
    const { answer, taken } = await ask()
    expect(taken).toEqual(['finish'])
    expect(answer.meta?.source).toBe('rollup')
  })

  it('is answered by the current catalog: dirty windows, deleted levels, new series, unflushed records', async () => {
    const { database } = service
    const dirty = new Date(START + 2 * DAY).toISOString()
    await database.query('update rollups_1d set count = count + 1000 where window_start = $1', [dirty])
    await database.query('insert into rollup_dirty (level_seconds, tenant_id, window_start) values (86400, $1, $2)', [
      tenantId,
      dirty,
    ])
    expect((await ask()).taken).toEqual(['finish', 'other'])
    expect((await ask()).taken).toEqual(['finish'])

    await database.query('delete from rollups_1d')
    await database.query('update rollup_levels set kept_from = $1 where level_seconds = 86400', [
      new Date(START + DAYS * DAY),
    ])
    expect((await ask()).taken).toEqual(['finish', 'other'])
    expect((await ask()).taken).toEqual(['finish'])

    const late: TestEvent[] = [
      {
        tenantId,
        event: 'Flight',
        userId: 'new',
        timestampMs: START + 2 * DAY + 5,
        properties: { carrier: 'brand-new' },
        partition: 0,
        position: 20_000,
      },
    ]
    await storeEvents(database, late)
    await storeRollups(
      database,
      late.map((event) => ({ ...event, event: 'Other' })),
      [],
    )
    await storePartition(database, {
      partition: 0,
      next: 20_001,
      flushed: 20_000,
      unflushedFromMs: START + 2 * DAY + 5,
      unflushedToMs: START + 2 * DAY + 5,
    })
    expect((await ask()).answer.meta?.source).toBe('mixed')
    const again = await ask()
    expect(again.taken).toEqual(['other', 'other'])
    expect(again.answer.data.find(({ group }) => group?.['properties.carrier'] === 'brand-new')?.value).toBe(1)

    await database.query(
      `insert into rollup_series (tenant_id, event, dimensions, dimension_values) values ($1, 'Flight', '{properties.carrier}', '{brand-new}')`,
      [tenantId],
    )
    for (const [table, level] of [
      ['rollups_1h', 3_600_000],
      ['rollups_5m', 300_000],
    ] as const)
      await database.query(
        `insert into ${table} (window_start, tenant_id, series_id, count) select $1, $2, max(id), 1 from rollup_series`,
        [new Date(Math.floor((START + 2 * DAY) / level) * level), tenantId],
      )
    await storePartition(database, { partition: 0, next: 20_001, flushed: 20_001 })
    expect((await ask()).answer.meta?.source).toBe('rollup')
    expect((await ask()).taken).toEqual(['finish'])
  })
})
