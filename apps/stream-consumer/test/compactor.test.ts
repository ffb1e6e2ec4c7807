import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { COARSE_LEVELS, unpackMinutes, unpackSketches } from '@millrace/rollups'
import { DDSketch, HyperLogLog } from '@millrace/sketches'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { createCompactor } from '../src/aggregate/compactor.js'
import { Rollup } from '../src/aggregate/rollup.js'
import type { TestEvent } from './support/frames.js'
import { makeHandler } from './support/make-handler.js'
import { differences, readRollups, recompute } from './support/recompute.js'
import { TestEngine, TestLog } from './support/test-engine.js'

const DAY = 86_400_000
const PAST = Math.floor(Date.now() / DAY) * DAY - 2 * DAY
const LEVELS = COARSE_LEVELS.map(({ seconds, table }) => [seconds * 1000, table] as const)

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

  const compactAll = async (): Promise<number> => {
    const compact = createCompactor({ windowsMax: 50 }, { database })
    let all = 0
    for (let run = await compact(); run.rebuilt > 0; run = await compact()) all += run.rebuilt
    return all
  }

  interface MinuteRow {
    series_id: number
    minute: number
    count: bigint
    minutes: Buffer | null
    minute_sketches: Buffer | null
    sketch: Buffer | null
    uniques: Buffer
  }

  const describeMinute = (count: number, sketch: Uint8Array | null, hasProperty: boolean) => {
    if (sketch === null) return { count }
    if (!hasProperty) return { count, users: HyperLogLog.deserialise(sketch).serialise().toString('hex') }
    return { count, values: DDSketch.deserialise(sketch).serialise().toString('hex') }
  }

  /** The minutes in packed windows, by series and minute. */
  async function packedMinutes(): Promise<Map<string, object>> {
    const { rows } = await database.query<MinuteRow>(
      `select series_id, (extract(epoch from window_start) / 60)::integer as minute, count, minutes, minute_sketches, sketch from rollups_5m order by 1, 2`,
    )
    const found = new Map<string, object>()
    for (const row of rows) {
      const sketches = unpackSketches(row.minute_sketches ?? Buffer.alloc(0))
      for (const [at, { count, numbers }] of unpackMinutes(row.minutes ?? Buffer.alloc(0)).entries())
        if (count > 0)
          found.set(`${row.series_id} ${row.minute + at}`, {
            ...describeMinute(count, sketches[at] ?? null, row.sketch !== null),
            numbers: numbers && { ...numbers, sum: numbers.sum + numbers.sumError, sumError: 0 },
          })
    }
    return found
  }

  /** The minutes merged from the rows of single minutes, by series and minute. */
  async function mergedMinutes(): Promise<Map<string, object>> {
    const { rows } = await database.query<MinuteRow & { sum: number; sum_error: number; min: number; max: number }>(
      `select series_id, (extract(epoch from window_start) / 60)::integer as minute, count, sum, sum_error, min, max, sketch, uniques from rollups_1m
       order by 1, 2, partition`,
    )
    const rollups = new Map<string, Rollup>()
    for (const { series_id: id, minute, sum_error: sumError, count, ...row } of rows) {
      const series = { id, tenantId: 1, event: '', hasProperty: row.sketch !== null }
      const rollup = rollups.get(`${id} ${minute}`) ?? new Rollup(series, minute)
      rollup.merge({ ...row, count: Number(count), sumError })
      rollups.set(`${id} ${minute}`, rollup)
    }
    return new Map(
      [...rollups].map(([key, rollup]) => {
        const { count, sum, sumError, min, max, sketch, uniques } = rollup.values()
        const numbers = sum === null ? null : { sum: sum + (sumError ?? 0), sumError: 0, min: min ?? 0, max: max ?? 0 }
        return [key, { ...describeMinute(count, sketch ?? uniques, sketch !== null), numbers }]
      }),
    )
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

  it('the compactor builds windows of every level that equal a recomputation from the events, also after late events', async () => {
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

  it('the compactor rebuilds the dirty windows of an hour in one transaction, so that a backfilled year does not take hours', async () => {
    const hour = Math.floor(PAST / 3_600_000) * 3_600_000 + 10 * 3_600_000
    await send(
      Array.from({ length: 60 }, (_, minute) => ({
        messageId: `backfilled-${minute}`,
        userId: 'u1',
        timestampMs: hour + minute * 60_000,
        properties: '{}',
      })),
    )
    const transactions = jest.spyOn(database, 'transaction')
    try {
      await compactAll()
      // One transaction for the twelve windows of 5 minutes, one for the hour, one for the day.
      expect(transactions).toHaveBeenCalledTimes(3)
    } finally {
      transactions.mockRestore()
    }
    for (const [windowMs, table] of LEVELS)
      expect(differences(await readRollups(database, table), await recompute(database, windowMs))).toEqual([])
  })

  it('the compactor leaves a window dirty that a flush changed while it was rebuilt, and clears the other windows of the hour', async () => {
    const hour = Math.floor(PAST / 3_600_000) * 3_600_000 + 12 * 3_600_000
    await send(
      [0, 5, 10].map((minute) => ({
        messageId: `changed-${minute}`,
        userId: 'u1',
        timestampMs: hour + minute * 60_000,
        properties: '{}',
      })),
    )
    const compact = createCompactor({ windowsMax: 3 }, { database })
    const changed = new Date(hour + 5 * 60_000)
    const originalTransaction = database.transaction.bind(database)
    const transactions = jest.spyOn(database, 'transaction').mockImplementationOnce(async (work) => {
      await database.query('update rollup_dirty set version = version + 1 where window_start = $1', [changed])
      return originalTransaction(work)
    })
    try {
      expect(await compact()).toEqual({ rebuilt: 3, isCutShort: true })
    } finally {
      transactions.mockRestore()
    }
    const { rows } = await database.query('select window_start from rollup_dirty where level_seconds = 300')
    expect(rows).toEqual([{ window_start: changed }])
    await compactAll()
    expect((await database.query('select 1 from rollup_dirty')).rows).toEqual([])
  })

  it('the compactor packs the minutes of each window, merged over all stream partitions', async () => {
    expect(await packedMinutes()).toEqual(await mergedMinutes())
    await send(someEvents(3, 20))
    await compactAll()
    expect(await packedMinutes()).toEqual(await mergedMinutes())
  })

  it('the compactor packs the minutes of windows that an older release wrote, and changes nothing else in them', async () => {
    const before = await packedMinutes()
    const windows = await readRollups(database, 'rollups_5m')
    await database.query('update rollups_5m set minutes = null, minute_sketches = null')
    expect(await compactAll()).toBeGreaterThan(70)
    expect(await packedMinutes()).toEqual(before)
    expect(await readRollups(database, 'rollups_5m')).toEqual(windows)
    expect((await database.query('select 1 from rollup_dirty')).rows).toEqual([])
  })

  it('the compactor leaves windows that have not ended dirty', async () => {
    await send([{ messageId: 'now', timestampMs: Date.now() + 600_000 }])
    expect(await compactAll()).toBe(0)
    expect((await database.query('select level_seconds from rollup_dirty')).rows).toEqual([{ level_seconds: 300 }])
    await database.query('delete from rollup_dirty')
  })

  it('the compactor does not rebuild a window when some of its minutes are beyond their retention', async () => {
    const before = await readRollups(database, 'rollups_5m')
    await send([{ messageId: 'very late', timestampMs: PAST }])
    await database.query('update rollup_levels set kept_from = $1 where level_seconds = 60', [new Date(PAST + DAY)])
    await compactAll()
    await database.query(`update rollup_levels set kept_from = '-infinity'`)
    expect(await readRollups(database, 'rollups_5m')).toEqual(before)
    expect((await database.query('select 1 from rollup_dirty')).rows).toEqual([])
  })

  it('the compactor makes progress when very many windows are dirty after a backfill', async () => {
    await database.query(
      `insert into rollup_dirty (level_seconds, tenant_id, window_start)
       select 300, 77, timestamptz '2020-01-01T00:00:00Z' + n * interval '5 minutes' from generate_series(0, 24999) n`,
    )
    const compact = createCompactor({ windowsMax: 3 }, { database })
    expect(await compact()).toEqual({ rebuilt: 3, isCutShort: true })
    const { rows } = await database.query<{ newest: Date }>(
      'select max(window_start) as newest from rollup_dirty where tenant_id = 77',
    )
    expect(rows[0]?.newest.toISOString()).toBe('2020-03-27T19:00:00.000Z')
    await database.query('delete from rollup_dirty where tenant_id = 77')
  })
})
