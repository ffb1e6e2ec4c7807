import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { createCompactor } from '../src/aggregate/compactor.js'
import type { TestEvent } from './support/frames.js'
import { makeHandler } from './support/make-handler.js'
import { differences, readRollups, recompute } from './support/recompute.js'
import { TestEngine, TestLog } from './support/test-engine.js'

const DAY = 86_400_000
const PAST = Math.floor(Date.now() / DAY) * DAY - 2 * DAY
const LEVELS = [
  [300_000, 'rollups_5m'],
  [3_600_000, 'rollups_1h'],
  [DAY, 'rollups_1d'],
] as const

describe('the compactor', () => {
  let testDatabase: TestDatabase
  let database: Database
  let engine: TestEngine<unknown>
  const log = new TestLog()

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    await new DayPartitions(database).ensure('event_journal', Date.now() - DAY, Date.now() + DAY)
    engine = new TestEngine(database, log, makeHandler(database).handler) as TestEngine<unknown>
    await engine.assign([0, 1])
  })

  afterAll(async () => {
    await engine.close()
    await database.close()
    await testDatabase.release()
  })

  const compactAll = async (horizonMs = DAY * 30): Promise<number> => {
    const compact = createCompactor({ windowsMax: 50, minutesKeptMs: horizonMs }, { database, now: Date.now })
    let all = 0
    for (let made = await compact(); made > 0; made = await compact()) all += made
    return all
  }

  const someEvents = (seed: number, count: number): TestEvent[] =>
    Array.from({ length: count }, (_, i) => {
      const n = Math.imul(seed * 7919 + i, 2654435761) >>> 0
      const delay = (n % 1000) / 4
      const carrier = ['UA', 'LH'][n % 2] as string
      return {
        messageId: `${seed}-${i}`,
        userId: `u${n % 300}`,
        timestampMs: PAST + (n % (DAY / 4)),
        properties: JSON.stringify({ delay, carrier }),
        points: [
          {
            event: 'Flight',
            property: 'properties.delay',
            dimensions: ['properties.carrier'],
            values: [carrier],
            value: delay,
          },
        ],
      }
    })

  const send = async (events: TestEvent[]): Promise<void> => {
    log.append(
      0,
      events.filter((_, i) => i % 2 === 0),
    )
    log.append(
      1,
      events.filter((_, i) => i % 2 === 1),
    )
    await engine.step()
  }

  it('makes windows of 5 minutes, an hour and a day equal to a recomputation, and again after late events', async () => {
    await send(someEvents(1, 2000))
    expect(await compactAll()).toBeGreaterThan(70)
    for (const [windowMs, table] of LEVELS)
      expect(differences(await readRollups(database, table), await recompute(database, windowMs))).toEqual([])
    expect((await database.query('select 1 from rollup_dirty')).rows).toEqual([])

    await send(someEvents(2, 20))
    expect((await database.query('select distinct level_seconds from rollup_dirty')).rows).toEqual([
      { level_seconds: 300 },
    ])
    expect(await compactAll()).toBeGreaterThan(3)
    for (const [windowMs, table] of LEVELS)
      expect(differences(await readRollups(database, table), await recompute(database, windowMs))).toEqual([])
  })

  it('leaves windows that are still open dirty', async () => {
    await send([{ messageId: 'now', timestampMs: Date.now() + 600_000 }])
    expect(await compactAll()).toBe(0)
    expect((await database.query('select level_seconds from rollup_dirty')).rows).toEqual([{ level_seconds: 300 }])
    await database.query('delete from rollup_dirty')
  })

  it('leaves a window alone whose minutes are past their retention, instead of making it from what is left', async () => {
    const before = await readRollups(database, 'rollups_5m')
    await send([{ messageId: 'very late', timestampMs: PAST }])
    await compactAll(DAY)
    expect(await readRollups(database, 'rollups_5m')).toEqual(before)
    expect((await database.query('select 1 from rollup_dirty')).rows).toEqual([])
  })

  it('gets on with windows however many wait after a large backfill', async () => {
    await database.query(
      `insert into rollup_dirty (level_seconds, tenant_id, window_start)
       select 300, 77, timestamptz '2020-01-01T00:00:00Z' + n * interval '5 minutes' from generate_series(0, 24999) n`,
    )
    const compact = createCompactor({ windowsMax: 3, minutesKeptMs: DAY * 30 }, { database, now: Date.now })
    expect(await compact()).toBe(3)
    await database.query('delete from rollup_dirty where tenant_id = 77')
  })
})
