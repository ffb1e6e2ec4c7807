import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, ensureEventPositionIndex, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createMetrics } from '@millrace/telemetry'
import { createTestDatabase, type TestDatabase, waitFor } from '@millrace/testing'
import { Mirror, type MirrorConfig } from '../src/mirror/mirror.js'
import { createMirrorHandler } from '../src/mirror/mirror-handler.js'
import { MirrorMetrics } from '../src/mirror/mirror-metrics.js'
import { MirrorPositions } from '../src/mirror/mirror-positions.js'
import { createReadStoredEvents } from '../src/mirror/read-stored-events.js'
import { TenantNames } from '../src/mirror/tenant-names.js'
import { partitionOfEvent, type TestEvent } from './support/frames.js'
import { makeHandler } from './support/make-handler.js'
import { RecordedTopic } from './support/recorded-topic.js'
import { runRetention } from './support/run-retention.js'
import { TestEngine, TestLog } from './support/test-engine.js'

const DAY = 86_400_000
const PARTITIONS = [0, 1, 2, 3]
const SCOPE = { topic: 'mirror', group: 'g', stream: 'events' }

/** Waits until the assertions pass. */
const holds = (assertions: () => unknown): Promise<unknown> =>
  waitFor(async () => {
    await assertions()
    return true
  })

describe('the mirror of stored events', () => {
  let testDatabase: TestDatabase
  let database: Database
  let log: TestLog
  let topic: RecordedTopic
  const stops: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    await new DayPartitions(database).ensure('event_journal', Date.now() - 2 * DAY, Date.now() + DAY)
    const connection = await database.connection()
    await ensureEventPositionIndex(connection, new AbortController().signal)
    await connection.close()
    await database.query(`insert into tenants (name) values ('default'), ('acme')`)
  })

  beforeEach(async () => {
    log = new TestLog()
    topic = new RecordedTopic()
    await database.query(
      'truncate events, event_journal, ledger_consumed, dead_letters, stream_partitions, rollups_1m, rollup_dirty, rollup_series, mirror_positions restart identity',
    )
  })

  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop()
  })

  afterAll(async () => {
    await database.close()
    await testDatabase.release()
  })

  /** A consumer with a mirror, which the test drives. `stop` ends both; a consumer that is not stopped goes on like a suspended one. */
  function consumer(config: Partial<MirrorConfig> = {}, to = topic) {
    const mirror = new Mirror(
      { topic: 'mirror', startsAt: 'now', retentionMs: 10 * DAY, ...config },
      {
        writer: to,
        positions: new MirrorPositions(SCOPE, { database }),
        tenants: new TenantNames(database),
        readStoredEvents: createReadStoredEvents({ database }),
        prepareReading: async () => {},
        metrics: new MirrorMetrics(createMetrics({ service: 'test', hasProcessMetrics: false })),
        logger: silentLogger,
        now: Date.now,
      },
    )
    const engine = new TestEngine(database, log, createMirrorHandler(makeHandler(database).handler, mirror))
    mirror.start()
    const stop = async () => {
      await mirror.stop()
      await engine.close()
    }
    stops.push(stop)
    return { engine, mirror, stop }
  }

  const send = (events: readonly TestEvent[]): void => {
    const byPartition = new Map<number, TestEvent[]>()
    for (const event of events) {
      const partition = partitionOfEvent(event, PARTITIONS.length)
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), event])
    }
    for (const [partition, some] of byPartition) log.append(partition, some)
  }

  const users = (from: number, count: number): TestEvent[] =>
    Array.from({ length: count }, (_, n) => ({ messageId: `m${from + n}`, userId: `user ${(from + n) % 7}` }))

  const idsOf = (events: readonly TestEvent[]): string[] => events.map(({ messageId }) => messageId as string).sort()

  const expectMirrored = (ids: readonly string[]): Promise<unknown> =>
    holds(() => expect(topic.ids().sort()).toEqual([...ids].sort()))

  const positions = async (): Promise<unknown[]> =>
    (await database.query('select partition, next_ordinal, blocked_reason, missed from mirror_positions order by 1'))
      .rows

  const ordinals = async (): Promise<unknown[]> =>
    (await positions()).map((row) => (row as { next_ordinal: bigint }).next_ordinal)

  it('the mirror writes each stored event as JSON of the events API with the tenant, keyed by tenant and user, and neither duplicates nor dead letters', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    const timestampMs = Date.UTC(2026, 10, 20, 1, 2, 3, 4)
    await engine.step()
    send([
      {
        messageId: 'a',
        userId: 'ann',
        timestampMs,
        receivedAtMs: timestampMs + 5,
        properties: '{"delay":1.50}',
        context: '{"ip":"::1"}',
      },
      { messageId: 'a', userId: 'ann' },
      { messageId: 'bad', userId: 'ann', properties: '{"x":"\\u0000"}' },
      { messageId: 'b', tenantId: 2, userId: null, anonymousId: 'é"', timestampMs, properties: null },
    ])
    await engine.step()
    await expectMirrored(['a', 'b'])
    const [a, b] = topic.messages.toSorted((x, y) => `${x.headers.message_id}`.localeCompare(`${y.headers.message_id}`))
    expect(a?.key.toString()).toBe('default:ann')
    expect(a?.headers).toEqual({ message_id: 'a', tenant: 'default', type: 'track' })
    expect(a?.value.toString()).toBe(
      `{"tenant":"default","message_id":"a","type":"track","event":"Flight","user_id":"ann","anonymous_id":null,"timestamp":"2026-11-20T01:02:03.004Z","received_at":"2026-11-20T01:02:03.009Z","properties":{"delay": 1.50},"context":{"ip": "::1"},"partition":${partitionOfEvent({ userId: 'ann' }, 4)},"position":0}`,
    )
    expect(b?.key.toString()).toBe('acme:é"')
    expect(JSON.parse(`${b?.value}`)).toMatchObject({
      tenant: 'acme',
      user_id: null,
      anonymous_id: 'é"',
      properties: null,
    })
  })

  it('the mirror keeps the order of each user over many batches, late events and other days included', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    const all: TestEvent[] = []
    for (let round = 0; round < 20; round++) {
      const some = users(round * 50, 50).map((event, n) => ({
        ...event,
        timestampMs: Date.now() - ((round + n) % 5) * DAY,
      }))
      all.push(...some)
      send(some)
      await engine.step()
    }
    await expectMirrored(idsOf(all))
    for (const { userId } of users(0, 7)) {
      const sent = all.filter((event) => event.userId === userId).map(({ messageId }) => messageId)
      const written = topic.messages.filter(({ key }) => key.toString() === `default:${userId}`)
      expect(written.map(({ headers }) => headers.message_id)).toEqual(sent)
    }
  })

  it('the mirror writes nothing of a transaction that fails, and all of it once it is committed by the next owner', async () => {
    const first = consumer()
    await first.engine.assign(PARTITIONS)
    send(users(0, 10))
    await first.engine.step()
    send(users(10, 10))
    first.engine.beforeCommit = async () => {
      throw new Error('power cut')
    }
    await expect(first.engine.step()).rejects.toThrow('power cut')
    await first.stop()
    expect(topic.ids().filter((id) => !idsOf(users(0, 10)).includes(id))).toEqual([])
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    await heir.engine.step()
    await expectMirrored(idsOf(users(0, 20)))
  })

  it('a mirror that starts now leaves out what was stored before, one that starts at the beginning does not', async () => {
    const before = new TestEngine(database, log, makeHandler(database).handler)
    await before.assign(PARTITIONS)
    send(users(0, 20))
    await before.step()
    await before.close()
    const first = consumer({ startsAt: 'now' })
    await first.engine.assign(PARTITIONS)
    send(users(20, 20))
    await first.engine.step()
    await expectMirrored(idsOf(users(20, 20)))
    await first.stop()

    await database.query('delete from mirror_positions')
    topic = new RecordedTopic()
    const second = consumer({ startsAt: 'beginning' })
    await second.engine.assign(PARTITIONS)
    await expectMirrored(idsOf(users(0, 40)))
  })

  it('while the topic cannot be written to, events are stored and the mirror shows its lag and the reason; afterwards it writes them all', async () => {
    const { engine, mirror } = consumer()
    await engine.assign(PARTITIONS)
    topic.outage = 'no broker answers'
    for (let round = 0; round < 50; round++) {
      send(users(round * 100, 100))
      await engine.step()
    }
    const { rows } = await database.query<{ count: bigint }>('select count(*) from events')
    expect(rows).toEqual([{ count: 5000n }])
    expect(topic.messages).toEqual([])
    await holds(async () => {
      expect(mirror.lagRecords).toBe(5000)
      expect(mirror.problem).toBe('no broker answers')
      expect(await positions()).toEqual(
        PARTITIONS.map((partition) => ({
          partition,
          next_ordinal: 0n,
          blocked_reason: 'no broker answers',
          missed: 0n,
        })),
      )
    })
    expect(mirror.lagMs).toBeGreaterThan(0)
    topic.outage = undefined
    await expectMirrored(idsOf(users(0, 5000)))
    await holds(async () => {
      expect(mirror.lagRecords).toBe(0)
      expect(mirror.lagMs).toBe(0)
      expect(mirror.problem).toBeUndefined()
      expect((await positions()).map((row) => (row as { blocked_reason: unknown }).blocked_reason)).toEqual([
        null,
        null,
        null,
        null,
      ])
    })
  })

  it('a partition that is still blocked shows its reason again after the mirror of another consumer has recovered', async () => {
    const broken = new RecordedTopic()
    broken.outage = topic.outage = 'no broker answers'
    const [well, ill] = [consumer(), consumer({}, broken)]
    await well.engine.assign([0, 1])
    await ill.engine.assign([2, 3])
    const blocked = async () => {
      const { rows } = await database.query<{ partition: number }>(
        'select partition from mirror_positions where blocked_reason is not null order by 1',
      )
      return rows.map(({ partition }) => partition)
    }
    send(users(0, 40))
    await well.engine.step()
    await ill.engine.step()
    await holds(async () => expect(await blocked()).toEqual(PARTITIONS))
    topic.outage = undefined
    await holds(() => expect(well.mirror.problem).toBeUndefined())
    await holds(async () => expect(await blocked()).toEqual([2, 3]))
    // As the recovery of a consumer does, at any moment.
    await new MirrorPositions(SCOPE, { database }).unblock()
    await holds(async () => expect(await blocked()).toEqual([2, 3]))
  })

  it('a suspended mirror that goes on after another took its partitions over moves no position back and repeats at most what it held', async () => {
    const frozen = new RecordedTopic()
    frozen.outage = 'suspended'
    const old = consumer({}, frozen)
    await old.engine.assign(PARTITIONS)
    send(users(0, 10))
    await old.engine.step()
    await holds(() => expect(old.mirror.problem).toBe('suspended'))

    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    send(users(10, 10))
    await heir.engine.step()
    await expectMirrored(idsOf(users(0, 20)))
    await holds(() => expect(heir.mirror.lagRecords).toBe(0))
    const after = await ordinals()

    frozen.outage = undefined
    await holds(() => expect(frozen.ids().sort()).toEqual(idsOf(users(0, 10))))
    await old.stop()
    expect(await ordinals()).toEqual(after)
  })

  it('a mirror that ended before its position was saved is continued by the next one, which repeats those events', async () => {
    const first = consumer()
    await first.engine.assign(PARTITIONS)
    send(users(0, 30))
    await first.engine.step()
    await expectMirrored(idsOf(users(0, 30)))
    await first.stop()
    await database.query('update mirror_positions set next_ordinal = 0')
    send(users(30, 10))
    const heir = consumer()
    await heir.engine.assign(PARTITIONS)
    await heir.engine.step()
    await expectMirrored([...idsOf(users(0, 30)), ...idsOf(users(0, 40))])
  })

  it('an event that is larger than the topic takes is written without properties and context, and says so', async () => {
    topic.messageBytesMax = 40_000
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    // PostgreSQL prints such a number with 300 digits, so that the event is larger when it is read than when it was sent.
    const numbers = Array.from({ length: 200 }, () => '1e-300').join(',')
    send([
      { messageId: 'large', userId: 'ann', properties: `{"n":[${numbers}]}`, context: '{"ip":"::1"}' },
      { messageId: 'small', userId: 'ann' },
    ])
    await engine.step()
    await expectMirrored(['large', 'small'])
    expect(topic.values()[0]).toMatchObject({
      message_id: 'large',
      properties: null,
      context: null,
      omitted: ['properties', 'context'],
    })
    expect(topic.values()[1]).not.toHaveProperty('omitted')
  })

  it('events that retention deletes before they are mirrored are counted', async () => {
    const { engine } = consumer()
    await engine.assign(PARTITIONS)
    topic.outage = 'down'
    send(users(0, 21).map((event) => ({ ...event, timestampMs: Date.now() - 20 * DAY })))
    await engine.step()
    await holds(async () => expect(await positions()).toHaveLength(4))
    await runRetention(database, { nowMs: Date.now(), eventsMs: 10 * DAY })
    const missed = (await positions()).map((row) => Number((row as { missed: bigint }).missed))
    expect(missed.reduce((sum, count) => sum + count, 0)).toBe(21)
  })
})

describe('reading stored events by position', () => {
  let testDatabase: TestDatabase
  let database: Database
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    await new DayPartitions(database).ensure('events', Date.now() - DAY, Date.now())
    // Positions 10, 20, ... 1000 of partition 0, in two days; each event has 1,000 bytes of properties.
    await database.query(
      `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event, user_id, properties)
       select n * 10, n, now() - (n % 2) * interval '1 day', now(), 1, 0, 0, 'm' || n, 'Seen', 'ann', jsonb_build_object('x', repeat('y', 1000))
       from generate_series(1, 100) n`,
    )
  })
  afterAll(async () => {
    await database.close()
    await testDatabase.release()
  })

  const limits = { rowsMax: 1000, bytesMax: 1e9, eventBytesMax: 1e6 }
  const read = (from: number, to: number, over: Partial<typeof limits> = {}) =>
    createReadStoredEvents({ database })({ partition: 0, from, to, days: null }, { ...limits, ...over })

  it('a read that reaches the end of its range continues at the end, also when the last positions have no event', async () => {
    const { events, next } = await read(15, 995)
    expect(events.map(({ position }) => Number(position))).toEqual(Array.from({ length: 98 }, (_, n) => 20 + n * 10))
    expect(next).toBe(995)
  })

  it.each([
    ['rows', { rowsMax: 7 }, 7],
    ['bytes', { bytesMax: 5_000 }, 5],
  ])('a read that ends at its limit of %s continues after its last event', async (_what, over, count) => {
    const { events, next } = await read(0, 2000, over)
    expect(events).toHaveLength(count)
    expect(next).toBe(count * 10 + 1)
  })

  it('a read returns at least one event, however large it is', async () => {
    expect((await read(0, 2000, { bytesMax: 1 })).events).toHaveLength(1)
  })

  it('reads of one event after the other return every event once', async () => {
    const seen: number[] = []
    for (let from = 0; from < 1001; ) {
      const { events, next } = await read(from, 1001, { rowsMax: 1 })
      seen.push(...events.map(({ position }) => Number(position)))
      from = next
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, n) => 10 + n * 10))
  })
})
