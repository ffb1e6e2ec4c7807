import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { hashText } from '@millrace/contracts'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { partitionOfEvent, type TestEvent } from './support/frames.js'
import { type HandlerOptions, makeHandler } from './support/make-handler.js'
import { differences, readRollups, recompute } from './support/recompute.js'
import { TestEngine, TestLog } from './support/test-engine.js'

const DAY = 86_400_000
const PARTITIONS = [0, 1, 2, 3]
/** Noon: no day ends while the test runs. */
const NOW = Math.floor(Date.now() / DAY) * DAY + DAY / 2

let random = 1
const next = (below: number): number => {
  random = (Math.imul(random, 1103515245) + 12345) & 0x7fff_ffff
  return (random >>> 8) % below
}

describe('the handler of the events stream', () => {
  let testDatabase: TestDatabase
  let database: Database
  let log: TestLog
  const engines: TestEngine<unknown>[] = []

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    await new DayPartitions(database).ensure('event_journal', Date.now() - 2 * DAY, Date.now() + DAY)
  })

  beforeEach(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()))
    log = new TestLog()
    await database.query(
      'truncate events, event_journal, ledger_consumed, dead_letters, stream_partitions, rollups_1m, rollup_dirty, rollup_series restart identity',
    )
  })

  afterAll(async () => {
    await Promise.all(engines.splice(0).map((engine) => engine.close()))
    await database.close()
    await testDatabase.release()
  })

  function consumer(options: HandlerOptions = {}) {
    const made = makeHandler(database, { now: () => Date.now(), ...options })
    const engine = new TestEngine(database, log, made.handler)
    engines.push(engine as TestEngine<unknown>)
    return { engine, ...made }
  }

  const send = (events: readonly TestEvent[]): void => {
    const byPartition = new Map<number, TestEvent[]>()
    for (const event of events) {
      const partition = partitionOfEvent(event, PARTITIONS.length)
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), event])
    }
    for (const [partition, some] of byPartition) log.append(partition, some)
  }

  const storedIds = async (): Promise<string[]> =>
    (await database.query<{ message_id: string }>('select message_id from events order by message_id')).rows.map(
      (row) => row.message_id,
    )

  const ledger = async (): Promise<Record<string, number>> => {
    const { rows } = await database.query<Record<string, string>>(
      `select sum(accepted) as accepted, sum(stored) as stored, sum(duplicate) as duplicate, sum(dead_lettered) as dead_lettered from ledger_consumed`,
    )
    return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([key, value]) => [key, Number(value)]))
  }

  it('the events handler stores a batch once when its first transaction fails after everything was written', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    send([{ messageId: 'a' }, { messageId: 'b', userId: 'bob' }])
    engine.beforeCommit = async () => {
      throw new Error('power cut')
    }
    await expect(engine.step()).rejects.toThrow('power cut')
    expect(await storedIds()).toEqual([])
    engine.beforeCommit = async () => {}
    await engine.assign(PARTITIONS)
    await engine.step()
    expect(await storedIds()).toEqual(['a', 'b'])
    expect(await ledger()).toEqual({ accepted: 2, stored: 2, duplicate: 0, dead_lettered: 0 })
  })

  it('the events handler stores a batch once when the connection is cut in the middle of its transaction', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    send([{ messageId: 'a' }])
    await engine.step()
    send([{ messageId: 'a' }, { messageId: 'b' }])
    engine.beforeCommit = async (tx) => {
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      await database.query('select pg_terminate_backend($1)', [rows[0]?.pid])
      await tx.query('select 1')
    }
    await expect(engine.step()).rejects.toThrow()
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    await heir.engine.step()
    expect(await storedIds()).toEqual(['a', 'b'])
    expect(await ledger()).toEqual({ accepted: 3, stored: 2, duplicate: 1, dead_lettered: 0 })
  })

  it('the events handler stores one event for each user of a message id, whatever partitions the users are in, and each of them once', async () => {
    const users = Array.from({ length: 20 }, (_, n) => `user ${n}`)
    const events = users.map((userId) => ({ messageId: 'shared', userId }))
    const first = consumer()
    await first.engine.assign(PARTITIONS)
    send([...events, ...events])
    await first.engine.step()
    send(events)
    await first.engine.step()
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    send(events)
    send([{ messageId: 'shared', userId: 'user 3', tenantId: 2 }])
    await heir.engine.step()
    const { rows } = await database.query<{ tenant_id: number; user_id: string }>(
      'select tenant_id, user_id from events order by tenant_id, substr(user_id, 6)::integer',
    )
    expect(rows).toEqual([
      ...users.map((userId) => ({ tenant_id: 1, user_id: userId })),
      { tenant_id: 2, user_id: 'user 3' },
    ])
    expect(await ledger()).toEqual({ accepted: 81, stored: 21, duplicate: 60, dead_lettered: 0 })
  })

  it('a consumer recognises message ids of a journal that was written before users were part of the hashes', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    send([{ messageId: 'before', userId: 'ann' }])
    await engine.step()
    const { lo, hi } = hashText('before', 1, { lo: 0, hi: 0 })
    const old = Buffer.alloc(8)
    old.writeUInt32LE(lo, 0)
    old.writeUInt32LE(hi, 4)
    await database.query('update event_journal set hashes = $1, hashes_have_users = false', [old])
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    send([
      { messageId: 'before', userId: 'ann' },
      { messageId: 'after', userId: 'ann' },
    ])
    await heir.engine.step()
    expect(await storedIds()).toEqual(['after', 'before'])
    expect(await ledger()).toEqual({ accepted: 3, stored: 2, duplicate: 1, dead_lettered: 0 })
  })

  it('a consumer that lost its partitions is fenced at commit and stores nothing twice', async () => {
    const hung = consumer()
    await hung.engine.assign(PARTITIONS)
    send([{ messageId: 'a', event: 'Search' }])
    const frames = hung.engine.waiting()
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    await heir.engine.step()
    await expect(hung.engine.step(frames)).rejects.toMatchObject({ code: 'DATABASE_FENCED' })
    expect(await storedIds()).toEqual(['a'])
    expect(await ledger()).toEqual({ accepted: 1, stored: 1, duplicate: 0, dead_lettered: 0 })
    expect(differences(await readRollups(database), await recompute(database))).toEqual([])
  })

  it('duplicates are recognised after a restart and after a rebalance', async () => {
    const first = consumer()
    await first.engine.assign(PARTITIONS)
    const events = Array.from({ length: 50 }, (_, i) => ({ messageId: `m${i}`, userId: `u${i}` }))
    send(events)
    await first.engine.step()
    await first.engine.close()
    const [left, right] = [consumer(), consumer()]
    await left.engine.assign([0, 1])
    await right.engine.assign([2, 3])
    send([...events, { messageId: 'new' }])
    await left.engine.step()
    await right.engine.step()
    expect(await storedIds()).toHaveLength(51)
    expect(await ledger()).toEqual({ accepted: 101, stored: 51, duplicate: 50, dead_lettered: 0 })
  })

  it('a batch that is sent again within the deduplication window is dropped, and a batch from before the window is stored', async () => {
    const first = consumer()
    await first.engine.assign(PARTITIONS)
    send([{ messageId: 'inside' }])
    await first.engine.step()
    send([{ messageId: 'outside' }])
    await first.engine.step()
    await database.query(
      `update event_journal set committed_at = committed_at - interval '23 hours 59 minutes' where first_ordinal = 0`,
    )
    await database.query(
      `update event_journal set committed_at = committed_at - interval '24 hours 1 minute' where first_ordinal = 1`,
    )
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    send([{ messageId: 'inside' }, { messageId: 'outside' }])
    await heir.engine.step()
    expect(await storedIds()).toEqual(['inside', 'outside', 'outside'])
  })

  it('a new owner loads the newest message ids when the journal holds more than DEDUP_IDS_MAX, and reports for how long it remembers ids', async () => {
    const first = consumer()
    await first.engine.assign([0])
    for (let i = 0; i < 20; i++) log.append(0, [{ messageId: `m${i}` }])
    await first.engine.step()
    const { rows } = await database.query<{ n: bigint }>('select count(*) as n from event_journal')
    expect(rows[0]?.n).toBe(20n)
    const heir = consumer({ idsMax: 5 })
    await heir.engine.assign([0])
    expect(heir.windows.size).toBe(5)
    expect(heir.windows.coveredMs(Date.now())).toBeLessThan(60_000)
    log.append(0, [{ messageId: 'm19' }, { messageId: 'm2' }])
    await heir.engine.step()
    expect(await ledger()).toMatchObject({ stored: 21, duplicate: 1 })
  })

  it('the message id of a dead letter can be stored later, also after a takeover', async () => {
    const first = consumer()
    await first.engine.assign(PARTITIONS)
    send([{ messageId: 'm', properties: '{"nul":"\\u0000"}' }, { messageId: 'n' }])
    await first.engine.step()
    expect(await storedIds()).toEqual(['n'])
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    send([{ messageId: 'm' }, { messageId: 'n' }])
    await heir.engine.step()
    expect(await storedIds()).toEqual(['m', 'n'])
    expect(await ledger()).toEqual({ accepted: 4, stored: 2, duplicate: 1, dead_lettered: 1 })
  })

  it('the events handler creates a day partition again that was dropped while it was running', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    send([{ messageId: 'a' }])
    await engine.step()
    const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
    await database.query(`drop table events_${day}`)
    send([{ messageId: 'b' }])
    await expect(engine.step()).rejects.toThrow()
    await engine.assign(PARTITIONS)
    await engine.step()
    expect(await storedIds()).toEqual(['b'])
  })

  it('rollups equal a recomputation from the rows after late, duplicate and disordered events, failures and takeovers', async () => {
    let clock = 0
    const make = () =>
      consumer({ monotonicMs: () => clock, flushMs: 1000, eagerBytesPerSecond: 20_000, rollupsMax: 200 })
    let [left, right] = [make(), make()]
    await left.engine.assign([0, 1])
    await right.engine.assign([2, 3])
    const sent: TestEvent[] = []
    for (let round = 0; round < 60; round++) {
      send(makeRound(round, sent))
      clock += next(400)
      if (round % 9 === 5) left.engine.beforeCommit = () => Promise.reject(new Error('cut'))
      for (const one of [left, right]) {
        await one.engine.step(one.engine.waiting(3)).catch(() => undefined)
        one.engine.beforeCommit = async () => {}
      }
      if (left.engine.owned.size === 0) await left.engine.assign([0, 1])
      if (round % 13 === 12) {
        await left.engine.close()
        await right.engine.close()
        ;[left, right] = [make(), make()]
        await left.engine.assign([0, 2])
        await right.engine.assign([1, 3])
      }
    }
    for (const one of [left, right]) {
      while (one.engine.waiting().length > 0) await one.engine.step()
      clock += 2000
      expect(one.handler.wantsCommit()).toBe(one.rollups.dirtySize > 0)
      await one.engine.step([])
      expect(one.handler.wantsCommit()).toBe(false)
      expect(one.rollups.dirtySize).toBe(0)
    }
    expect(new Set(await storedIds()).size).toBe((await storedIds()).length)
    const actual = await readRollups(database)
    expect(actual.size).toBeGreaterThan(100)
    expect(differences(actual, await recompute(database))).toEqual([])
    const { rows } = await database.query(
      'select 1 from stream_partitions where flushed_ordinal <> next_ordinal or flushed_position <> position',
    )
    expect(rows).toEqual([])
  })

  /** Events around now, some hours late, some of yesterday, and some that were sent before. */
  function makeRound(round: number, sent: TestEvent[]): TestEvent[] {
    const events: TestEvent[] = []
    for (let i = 0; i < 60; i++) {
      if (sent.length > 0 && next(10) === 0) {
        events.push(sent[next(sent.length)] as TestEvent)
        continue
      }
      const lateMs = next(10) === 0 ? next(36) * 3_600_000 : next(90) * 1000
      const delay = (next(100_000) - 20_000) / 8
      const carrier = ['UA', 'LH', 'AF'][next(3)] as string
      const isFlight = next(3) > 0
      events.push({
        messageId: `r${round}-${i}`,
        userId: `u${next(500)}`,
        event: isFlight ? 'Flight' : 'Search',
        timestampMs: NOW + round * 500 - lateMs,
        properties: JSON.stringify({ delay, carrier }),
        points: isFlight
          ? [
              {
                event: 'Flight',
                property: 'properties.delay',
                dimensions: ['properties.carrier'],
                values: [carrier],
                value: delay,
              },
            ]
          : [],
      })
    }
    sent.push(...events)
    return events
  }

  it('stored rows are counted when the stream no longer holds the frames of unwritten rollups', async () => {
    let clock = 0
    await database.query(
      `insert into rollup_definitions (event, dimensions, property, active_from) values ('Flight', '{properties.carrier}', 'properties.delay', now())`,
    )
    const first = consumer({ monotonicMs: () => clock, eagerBytesPerSecond: 0 })
    await first.engine.assign(PARTITIONS)
    clock = 1000
    send(makeRound(1, []))
    await first.engine.step()
    clock = 1100
    send(makeRound(2, []))
    await first.engine.step()
    expect(first.rollups.dirtySize).toBeGreaterThan(0)
    await first.engine.close()
    log.frames.clear()
    const heir = consumer({ monotonicMs: () => clock })
    await heir.engine.assign(PARTITIONS)
    clock = 5000
    await heir.engine.step([])
    expect(differences(await readRollups(database), await recompute(database))).toEqual([])
    await database.query('delete from rollup_definitions')
  })

  it('a stopping consumer writes all rollups that are not written yet', async () => {
    const { engine, handler, rollups } = consumer({ eagerBytesPerSecond: 0, flushMs: 3_600_000 })
    await engine.assign(PARTITIONS)
    send(makeRound(1, []))
    await engine.step()
    expect([rollups.dirtySize > 0, handler.wantsCommit()]).toEqual([true, false])
    handler.stopping()
    expect(handler.wantsCommit()).toBe(true)
    await engine.step([])
    expect([rollups.dirtySize, handler.wantsCommit()]).toEqual([0, false])
    expect(differences(await readRollups(database), await recompute(database))).toEqual([])
  })

  it('series beyond the limit are counted in the overflow series, also after a restart', async () => {
    const first = consumer({ seriesMax: 3 })
    await first.engine.assign([0])
    log.append(
      0,
      ['a', 'b', 'c', 'd', 'e'].map((event) => ({ event, timestampMs: NOW })),
    )
    await first.engine.step()
    const heir = consumer({ seriesMax: 3 })
    await heir.engine.assign([0])
    log.append(
      0,
      ['a', 'e', 'f'].map((event) => ({ event, timestampMs: NOW })),
    )
    await heir.engine.step()
    const { rows } = await database.query(
      `select s.event, s.overflow, sum(r.count)::int as count from rollup_series s join rollups_1m r on r.series_id = s.id group by 1, 2 order by 1`,
    )
    expect(rows).toEqual([
      { event: '$overflow', overflow: true, count: 4 },
      { event: 'a', overflow: false, count: 2 },
      { event: 'b', overflow: false, count: 1 },
      { event: 'c', overflow: false, count: 1 },
    ])
  })

  it('records whose series cannot be stored are stored, and every changed window is marked as dirty', async () => {
    const { engine } = consumer()
    await engine.assign([0])
    const long = 'x'.repeat(3000)
    log.append(0, [
      {
        event: 'ok',
        timestampMs: NOW,
        points: [{ event: 'ok', property: null, dimensions: ['properties.a'], values: [long], value: Number.NaN }],
      },
    ])
    await engine.step()
    log.append(0, [
      { event: 'nul\0', timestampMs: NOW },
      { event: 'ok', timestampMs: NOW + 1 },
    ])
    await engine.step()
    expect(await ledger()).toMatchObject({ stored: 2, dead_lettered: 1 })
    expect(
      (await database.query('select level_seconds, tenant_id, window_start, version from rollup_dirty')).rows,
    ).toEqual([
      { level_seconds: 300, tenant_id: 1, window_start: new Date(Math.floor(NOW / 300_000) * 300_000), version: 2n },
    ])
    expect((await database.query('select dimension_values from rollup_series where overflow')).rows).toEqual([
      { dimension_values: ['$overflow'] },
    ])
  })
})
