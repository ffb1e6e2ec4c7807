import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type LateDay, NORMAL_DELAY_MS } from '@millrace/contracts'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { type TestEvent, toRecord } from './support/frames.js'
import { makeHandler } from './support/make-handler.js'
import { runRetention } from './support/run-retention.js'
import { TestEngine, TestLog } from './support/test-engine.js'

const DAY = 86_400_000
/** Noon, so that nothing here crosses a day by chance. */
const NOON = Math.floor(Date.now() / DAY) * DAY + DAY / 2
const dayOf = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

describe('late events', () => {
  let testDatabase: TestDatabase
  let database: Database
  let log: TestLog
  let announced: LateDay[]
  const engines: TestEngine<unknown>[] = []

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    await new DayPartitions(database).ensure('event_journal', Date.now() - DAY, Date.now() + DAY)
  })

  beforeEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()))
    log = new TestLog()
    announced = []
    await database.query('truncate events, event_journal, dead_letters, stream_partitions, rollups_1m, window_versions')
  })

  afterAll(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()))
    await database.close()
    await testDatabase.release()
  })

  const consumer = async (partitions: readonly number[]): Promise<TestEngine<unknown>> => {
    const { handler } = makeHandler(database, { announceLate: (windows) => void announced.push(...windows) })
    const engine = new TestEngine(database, log, handler) as TestEngine<unknown>
    engines.push(engine)
    await engine.assign(partitions)
    return engine
  }

  const append = (events: readonly TestEvent[], watermarkMaxMs = NOON): unknown =>
    log.append(0, events, { watermarkMaxMs })

  const versions = async (): Promise<[number, string, string, number][]> =>
    (
      await database.query<{ tenant_id: number; event: string; day: string; version: bigint }>(
        'select tenant_id, event, day::text, version from window_versions order by 1, 2, 3',
      )
    ).rows.map(({ tenant_id, event, day, version }) => [tenant_id, event, day, Number(version)])

  it('late events are noted by tenant, event and day in the transaction of their rows, and announced after its commit', async () => {
    const engine = await consumer([0])
    append([
      { event: 'Flight', timestampMs: NOON - 3 * DAY },
      { event: 'Flight', timestampMs: NOON - 3 * DAY + 1 },
      { event: 'Flight', timestampMs: NOON },
      { event: 'Landing', timestampMs: NOON - DAY },
      { tenantId: 2, event: 'Flight', timestampMs: NOON - 3 * DAY },
    ])
    await engine.step()
    append([{ event: 'Flight', timestampMs: NOON - 3 * DAY }])
    await engine.step()
    expect(await versions()).toEqual([
      [1, 'Flight', dayOf(NOON - 3 * DAY), 2],
      [1, 'Landing', dayOf(NOON - DAY), 1],
      [2, 'Flight', dayOf(NOON - 3 * DAY), 1],
    ])
    expect(announced).toHaveLength(4)
    expect(announced[3]).toEqual({ tenant: 1, event: 'Flight', day: dayOf(NOON - 3 * DAY) })
  })

  it('events are late exactly when they are older than the partition’s watermark minus the normal delay', async () => {
    const engine = await consumer([0])
    append([{ timestampMs: NOON - NORMAL_DELAY_MS }, { timestampMs: NOON + 1 }])
    await engine.step()
    expect(await versions()).toEqual([])
    append([{ timestampMs: NOON - NORMAL_DELAY_MS - 1 }])
    await engine.step()
    expect(await versions()).toEqual([[1, 'Flight', dayOf(NOON), 1]])
  })

  it('late duplicates and late dead letters are not noted', async () => {
    const engine = await consumer([0])
    append([{ messageId: 'm', timestampMs: NOON }])
    await engine.step()
    const poison = toRecord({ messageId: 'poison', timestampMs: NOON - DAY })
    append([
      { messageId: 'm', timestampMs: NOON - DAY },
      { messageId: poison.messageId, timestampMs: poison.timestampMs, properties: '{"a":"\\u0000"}' },
    ])
    await engine.step()
    expect(await versions()).toEqual([])
    expect(announced).toEqual([])
  })

  it('late events leave no note when their transaction fails, and one note when it is repeated', async () => {
    const engine = await consumer([0])
    append([{ timestampMs: NOON - DAY }])
    engine.beforeCommit = () => Promise.reject(new Error('killed'))
    await expect(engine.step()).rejects.toThrow('killed')
    expect([await versions(), announced]).toEqual([[], []])
    engine.beforeCommit = async () => {}
    await engine.assign([0])
    await engine.step()
    expect(await versions()).toEqual([[1, 'Flight', dayOf(NOON - DAY), 1]])
    expect(announced).toHaveLength(1)
  })

  it('late events of the same day are noted when two consumers store them at once', async () => {
    const first = await consumer([0])
    const second = await consumer([1])
    const names = Array.from({ length: 20 }, (_, i) => `event ${i}`)
    for (let round = 0; round < 5; round++) {
      log.append(
        0,
        names.map((event) => ({ event, timestampMs: NOON - DAY })),
        { watermarkMaxMs: NOON },
      )
      log.append(
        1,
        [...names].reverse().map((event) => ({ event, timestampMs: NOON - DAY })),
        { watermarkMaxMs: NOON },
      )
      await Promise.all([first.step(), second.step()])
    }
    expect((await versions()).map(([, , , version]) => version)).toEqual(names.map(() => 10))
  })

  it('late events are noted when their names are too long for an index or beyond the limit of series', async () => {
    const { handler } = makeHandler(database, { seriesMax: 1 })
    const engine = new TestEngine(database, log, handler) as TestEngine<unknown>
    engines.push(engine)
    await engine.assign([0])
    append([
      { event: 'a', timestampMs: NOON - DAY },
      { event: 'b', timestampMs: NOON - DAY },
      { event: 'é'.repeat(3000), timestampMs: NOON - DAY },
    ])
    await engine.step()
    expect((await versions()).map(([, event]) => event)).toEqual(['a', 'b', 'é'.repeat(500)])
  })

  it('notes of late events are deleted when no cached answer can be older', async () => {
    const engine = await consumer([0])
    append([
      { event: 'old', timestampMs: NOON - DAY },
      { event: 'new', timestampMs: NOON - DAY },
    ])
    await engine.step()
    await database.query(`update window_versions set changed_at = now() - interval '15 days' where event = 'old'`)
    await runRetention(database, { nowMs: Date.now() })
    expect((await versions()).map(([, event]) => event)).toEqual(['new'])
  })
})
