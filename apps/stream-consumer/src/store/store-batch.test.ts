import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Connection, type Database, DayPartitions, EventSegments, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { payloadOf, type TestEvent } from '../../test/support/frames.js'
import { DedupWindows } from '../deduplicate/dedup-windows.js'
import { createTypedSteps } from '../typed/typed-steps.js'
import { prepareBatch } from './prepare-batch.js'
import type { EventFrame, PreparedBatch } from './prepared-batch.js'
import { RowBuffers } from './row-buffers.js'
import { storeBatch } from './store-batch.js'

const NOW = Date.UTC(2026, 10, 21, 12)
const DAY = 86_400_000
let testDatabase: TestDatabase
let database: Database
let connection: Connection
let windows: DedupWindows
let sequence = 0
const buffers = new RowBuffers()
const producer = randomUUID()

function frameOf(events: readonly TestEvent[], over: Partial<EventFrame> = {}): EventFrame {
  sequence++
  return {
    partition: 0,
    position: `${sequence}-0`,
    producer,
    sequence,
    records: events.length,
    firstOrdinal: 100,
    payload: payloadOf(events),
    isReplay: false,
    lateBeforeMs: null,
    ...over,
  }
}

async function store(frames: readonly EventFrame[]): Promise<PreparedBatch> {
  const batch = prepareBatch(frames, { windows, buffers, nowMs: NOW })
  await connection.transaction((tx) =>
    storeBatch(
      { stream: 'events' },
      { typedSteps: createTypedSteps(), segments: new EventSegments({ bytesMin: 1e9 }, database) },
      { batch, tx },
    ),
  )
  return batch
}

const ledger = async () =>
  (
    await database.query<Record<string, bigint>>(
      'select accepted, stored, duplicate, dead_lettered, rejected from ledger_consumed order by partition, tenant_id',
    )
  ).rows.map((row) => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, Number(value)])))

describe('a batch', () => {
  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    connection = await database.connection()
    const partitions = new DayPartitions(database)
    await partitions.ensure('events', NOW - DAY, NOW + DAY)
    await partitions.ensure('event_journal', Date.now() - DAY, Date.now() + DAY)
  })

  afterAll(async () => {
    await connection.close()
    await database.close()
    await testDatabase.release()
  })

  beforeEach(async () => {
    windows = new DedupWindows({ windowMs: DAY, idsMax: 1000 })
    for (const partition of [0, 1]) windows.open(partition)
    await database.query(
      'truncate events, event_journal, ledger_consumed, dead_letters, login_events, activity_logs, user_sessions',
    )
  })

  it('storeBatch stores every field of every record, with partition and ordinal', async () => {
    await store([
      frameOf(
        [
          {
            messageId: 'a',
            userId: 'ann',
            event: 'Flight',
            timestampMs: NOW,
            properties: '{"delay": 1.5, "é": "ü"}',
            context: '{"ip":"::1"}',
          },
          { messageId: 'b', userId: 'bob', timestampMs: NOW - DAY, properties: null },
        ],
        { partition: 1, firstOrdinal: 2 ** 32 - 1 },
      ),
    ])
    const { rows } = await database.query(
      `select partition, position, tenant_id, "timestamp", type, message_id, event, user_id, anonymous_id, properties, context, tableoid::regclass::text as day
       from events order by position`,
    )
    expect(rows).toEqual([
      {
        partition: 1,
        position: 4294967295n,
        tenant_id: 1,
        timestamp: new Date(NOW),
        type: 0,
        message_id: 'a',
        event: 'Flight',
        user_id: 'ann',
        anonymous_id: null,
        properties: { delay: 1.5, é: 'ü' },
        context: { ip: '::1' },
        day: 'events_20261121',
      },
      expect.objectContaining({
        position: 4294967296n,
        message_id: 'b',
        timestamp: new Date(NOW - DAY),
        properties: null,
        day: 'events_20261120',
      }),
    ])
  })

  it('storeBatch stores one of several records with the same message id, within a frame and across frames', async () => {
    const batch = await store([
      frameOf(
        [{ messageId: 'a' }, { messageId: 'a' }, { messageId: 'b' }].map((event) => ({ ...event, timestampMs: NOW })),
      ),
      frameOf([
        { messageId: 'b', timestampMs: NOW },
        { messageId: 'c', timestampMs: NOW },
      ]),
      frameOf([{ messageId: 'a', timestampMs: NOW, tenantId: 2 }]),
    ])
    expect(batch.frames.map(({ verdicts }) => verdicts && [...verdicts])).toEqual([[0, 1, 0], [1, 0], null])
    expect(await ledger()).toEqual([
      { accepted: 5, stored: 3, duplicate: 2, dead_lettered: 0, rejected: 0 },
      { accepted: 1, stored: 1, duplicate: 0, dead_lettered: 0, rejected: 0 },
    ])
    const { rows } = await database.query<{ n: bigint }>('select count(*) as n from events')
    expect(rows[0]?.n).toBe(4n)
  })

  it('storeBatch writes a journal row for each frame, from which verdicts and hashes can be read again', async () => {
    const frames = [
      frameOf([
        { messageId: 'a', timestampMs: NOW },
        { messageId: 'a', timestampMs: NOW },
      ]),
      frameOf([{ messageId: 'c', timestampMs: NOW }]),
    ]
    await store(frames)
    const { rows } = await database.query<Record<string, unknown>>(
      'select producer, sequence, first_ordinal, records, duplicates, dead_lettered, position, verdicts, hashes from event_journal order by sequence',
    )
    expect(rows[0]).toMatchObject({
      producer,
      first_ordinal: 100n,
      records: 2,
      duplicates: 1,
      dead_lettered: 0,
      position: frames[0]?.position,
    })
    expect(rows[0]?.verdicts).toEqual(Buffer.from([0, 1]))
    expect(rows[0]?.hashes).toHaveLength(16)
    expect(rows[1]).toMatchObject({ records: 1, verdicts: null })
  })

  it('storeBatch makes dead letters of the rows that PostgreSQL refuses, with the reason, and stores all others', async () => {
    const events: TestEvent[] = Array.from({ length: 200 }, (_, i) => ({
      messageId: `m${i}`,
      userId: `u${i}`,
      timestampMs: NOW - (i % 2) * DAY,
    }))
    const poison = new Map<number, [string, string]>([
      [3, ['22P05', '{"nul":"\\u0000"}']],
      [77, ['22P02', '{"broken":']],
      [78, ['22003', '{"n":1e200000}']],
      [199, ['22P02', '{"lone":"\\ud800"}']],
    ])
    for (const [index, [, properties]] of poison) Object.assign(events[index] as TestEvent, { properties })
    const batch = await store([frameOf(events.slice(0, 100)), frameOf(events.slice(100), { partition: 1 })])
    const { rows } = await database.query<Record<string, unknown>>(
      `select message_id, code, partition, record_index, tenant_id, state, producer from dead_letters order by partition, record_index`,
    )
    expect(rows).toEqual(
      [3, 77, 78, 199].map((index) => ({
        message_id: `m${index}`,
        code: poison.get(index)?.[0],
        partition: index < 100 ? 0 : 1,
        record_index: index % 100,
        tenant_id: 1,
        state: 'pending',
        producer,
      })),
    )
    expect(await ledger()).toEqual([
      { accepted: 100, stored: 97, duplicate: 0, dead_lettered: 3, rejected: 0 },
      { accepted: 100, stored: 99, duplicate: 0, dead_lettered: 1, rejected: 0 },
    ])
    const { rows: stored } = await database.query<{ n: bigint }>('select count(*) as n from events')
    expect(stored[0]?.n).toBe(196n)
    expect(batch.frames[0]?.verdicts?.[77]).toBe(2)
    expect(windows.size).toBe(196)
  })

  it('storeBatch counts an unreadable frame as dead-lettered and keeps its bytes', async () => {
    const payload = Buffer.from('no record batch')
    await store([frameOf([{}, {}], { payload }), frameOf([{ timestampMs: NOW }])])
    const { rows } = await database.query('select tenant_id, code, record, record_index from dead_letters')
    expect(rows).toEqual([{ tenant_id: 0, code: 'frame_unreadable', record: payload, record_index: -1 }])
    expect(await ledger()).toEqual([
      { accepted: 2, stored: 0, duplicate: 0, dead_lettered: 2, rejected: 0 },
      { accepted: 1, stored: 1, duplicate: 0, dead_lettered: 0, rejected: 0 },
    ])
  })

  it('storeBatch stores a replayed dead letter and moves it from dead-lettered to stored in the ledger, without counting it as accepted again', async () => {
    await store([frameOf([{ messageId: 'm', timestampMs: NOW, properties: '{"nul":"\\u0000"}' }])])
    await database.query(`update dead_letters set state = 'replaying'`)
    const again = await database.query<{ record: Buffer }>('select record from dead_letters')
    const record = again.rows[0]?.record as Buffer
    await store([frameOf([{}], { payload: record, isReplay: true })])
    expect((await database.query('select state from dead_letters')).rows).toEqual([{ state: 'pending' }])
    expect(await ledger()).toEqual([{ accepted: 1, stored: 0, duplicate: 0, dead_lettered: 1, rejected: 0 }])

    await database.query(`update dead_letters set state = 'replaying'`)
    const repaired = Buffer.from(record.toString('latin1').replace('\\u0000', '\\u0001'), 'latin1')
    await store([frameOf([{}], { payload: repaired, isReplay: true })])
    expect((await database.query('select state from dead_letters')).rows).toEqual([{ state: 'replayed' }])
    expect(await ledger()).toEqual([{ accepted: 1, stored: 1, duplicate: 0, dead_lettered: 0, rejected: 0 }])
    expect((await database.query('select message_id from events')).rows).toEqual([{ message_id: 'm' }])
  })

  it('storeBatch settles the dead letter of the replayed record, when several users have one with the same message id', async () => {
    const poison = { messageId: 'm', timestampMs: NOW, properties: '{"nul":"\\u0000"}' }
    await store([frameOf([poison, { ...poison, userId: 'bob' }])])
    const states = async () => (await database.query('select state from dead_letters order by id')).rows
    const replay = async () => {
      await database.query(`update dead_letters set state = 'replaying'`)
      const { rows } = await database.query<{ record: Buffer }>('select record from dead_letters order by id desc')
      return rows.map(({ record }) => frameOf([{}], { payload: record, isReplay: true }))
    }
    await store(await replay())
    expect(await states()).toEqual([{ state: 'pending' }, { state: 'pending' }])
    await store((await replay()).slice(0, 1))
    expect(await states()).toEqual([{ state: 'replaying' }, { state: 'pending' }])
  })

  it('storeBatch writes logins, activities and sessions from typed events, with the device and browser of the user agent', async () => {
    const userAgent =
      'Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1'
    const context = JSON.stringify({ userAgent, ip: '10.0.0.1' })
    const at = (minutes: number) => NOW + minutes * 60_000
    await store([
      frameOf([
        { event: '$session_start', timestampMs: at(0), properties: '{"session_id":"s"}', context },
        {
          event: '$login',
          timestampMs: at(1),
          messageId: 'l',
          properties: '{"method":"okta","success":false,"failure_reason":"locked"}',
          context,
        },
        {
          event: '$activity',
          timestampMs: at(2),
          properties: '{"action":"open","entity_type":"trr","entity_id":7,"metadata":{"a":1},"session_id":"s"}',
        },
        { event: '$session_end', timestampMs: at(3), properties: '{"session_id":"s","reason":"logout"}' },
        { event: '$login', timestampMs: at(4), properties: '[]' },
      ]),
    ])
    expect((await database.query('select * from login_events order by "timestamp"')).rows).toEqual([
      {
        tenant_id: 1,
        message_id: 'l',
        user_id: 'ann',
        timestamp: new Date(at(1)),
        method: 'okta',
        success: false,
        failure_reason: 'locked',
        device_type: 'mobile',
        browser: 'Safari',
        browser_version: '17.0',
        os: 'iOS',
        os_version: '17.0',
        ip: '10.0.0.1',
      },
      expect.objectContaining({ method: 'unknown', success: true, browser: null }),
    ])
    expect((await database.query('select action, entity_type, entity_id, metadata from activity_logs')).rows).toEqual([
      { action: 'open', entity_type: 'trr', entity_id: '7', metadata: { a: 1 } },
    ])
    expect(
      (await database.query('select user_id, started_at, last_seen_at, ended_at, end_reason, os from user_sessions'))
        .rows,
    ).toEqual([
      {
        user_id: 'ann',
        started_at: new Date(at(0)),
        last_seen_at: new Date(at(3)),
        ended_at: new Date(at(3)),
        end_reason: 'logout',
        os: 'iOS',
      },
    ])
  })
})
