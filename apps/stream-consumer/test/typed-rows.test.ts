import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Connection, type Database, DayPartitions, EventSegments, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import fc from 'fast-check'
import { DedupWindows } from '../src/deduplicate/dedup-windows.js'
import { closeIdleSessions } from '../src/maintain/close-idle-sessions.js'
import { prepareBatch } from '../src/store/prepare-batch.js'
import { RowBuffers } from '../src/store/row-buffers.js'
import { storeBatch } from '../src/store/store-batch.js'
import { createTypedSteps } from '../src/typed/typed-steps.js'
import { partitionOfEvent, payloadOf, type TestEvent } from './support/frames.js'
import { type ExpectedRows, expectedRows, USER_AGENTS } from './support/typed-rows-model.js'

const DAY = 86_400_000
const START = Date.UTC(2026, 10, 21, 12)
const PARTITIONS = 4

interface Facts {
  readonly name: string
  readonly step: number
  readonly session: string | null
  readonly userId: string | null
  readonly anonymousId: string | null
  readonly userAgent: string | null
  readonly ip: string | null
  readonly word: string | null
}

// The last two compare differently as UTF-16 and as UTF-8.
const IDS = ['ann', 'bob', '\u{1F600}', '\uFF5E']
const maybe = <T>(...values: T[]) => fc.constantFrom(null, ...values)

const facts: fc.Arbitrary<Facts> = fc
  .record({
    name: fc.constantFrom('$session_start', '$session_end', '$session_end', '$login', '$activity'),
    step: fc.nat({ max: 4 }),
    session: maybe('s1', 's1', 's2'),
    userId: maybe(...IDS),
    anonymousId: maybe('anonymous 1', ...IDS),
    userAgent: maybe(...Object.keys(USER_AGENTS)),
    ip: maybe('10.0.0.1', '10.0.0.2', ''),
    word: maybe('logout', 'idle', 'expired', ' '),
  })
  .filter(({ userId, anonymousId }) => userId !== null || anonymousId !== null)

/** How the events arrive: their order, the batches, the events that come again, and when idle sessions are closed. */
interface Arrival {
  readonly order: readonly number[]
  readonly batches: readonly { readonly closesIdle: boolean }[]
  readonly again: readonly number[]
}

const cases = fc.array(facts, { minLength: 1, maxLength: 10 }).chain((events) =>
  fc.record({
    events: fc.constant(events),
    arrival: fc.record({
      order: fc.shuffledSubarray([...events.keys()], { minLength: events.length }),
      batches: fc.array(fc.record({ closesIdle: fc.boolean() }), { minLength: 1, maxLength: 5 }),
      again: fc.subarray([...events.keys()]),
    }),
  }),
)

function toEvent(
  { name, step, session, userId, anonymousId, userAgent, ip, word }: Facts,
  tenantId: number,
  n: number,
) {
  const properties = { session_id: session, method: word, action: word, entity_type: word, entity_id: n, reason: word }
  const event: TestEvent = {
    tenantId,
    messageId: `m${n}`,
    event: name,
    timestampMs: START + step * 1000,
    userId,
    anonymousId,
    properties: JSON.stringify(properties),
    context: JSON.stringify({ userAgent, ip }),
  }
  return event
}

describe('the rows of typed events', () => {
  let testDatabase: TestDatabase
  let database: Database
  let connections: Connection[]
  let tenantId = 0
  let sequence = 0
  const producer = randomUUID()
  const typedSteps = createTypedSteps()

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
    connections = [await database.connection(), await database.connection()]
    const partitions = new DayPartitions(database)
    await partitions.ensure('events', START - DAY, START + DAY)
    await partitions.ensure('event_journal', Date.now() - DAY, Date.now() + DAY)
  })

  afterAll(async () => {
    for (const connection of connections) await connection.close()
    await database.close()
    await testDatabase.release()
  })

  /** Stores one batch with one frame for each partition. */
  async function store(events: readonly TestEvent[], windows: DedupWindows, connection: Connection): Promise<void> {
    const frames = Array.from({ length: PARTITIONS }, (_, partition) => {
      const ofPartition = events.filter((event) => partitionOfEvent(event, PARTITIONS) === partition)
      return {
        partition,
        position: `${++sequence}-0`,
        producer,
        sequence,
        records: ofPartition.length,
        firstOrdinal: 0,
        payload: payloadOf(ofPartition),
        isReplay: false,
        lateBeforeMs: null,
      }
    })
    const batch = prepareBatch(frames, { windows, buffers: new RowBuffers(), nowMs: START })
    const deps = { typedSteps, segments: new EventSegments({ bytesMin: 1e9 }, database) }
    await connection.transaction((tx) => storeBatch({ stream: 'events' }, deps, { batch, tx }))
  }

  /** Two consumers store the batches side by side. A partition belongs to one of them. */
  async function arrive(events: readonly TestEvent[], { order, batches, again }: Arrival): Promise<void> {
    const windows = new DedupWindows({ windowMs: DAY, idsMax: 1000 })
    for (let partition = 0; partition < PARTITIONS; partition++) windows.open(partition)
    const sent = [...order, ...again].map((n) => events[n] as TestEvent)
    const size = Math.ceil(sent.length / batches.length)
    for (const [index, { closesIdle }] of batches.entries()) {
      const batch = sent.slice(index * size, (index + 1) * size)
      const ofConsumers = [0, 1].map((consumer) =>
        batch.filter((event) => partitionOfEvent(event, PARTITIONS) % 2 === consumer),
      )
      await Promise.all(ofConsumers.map((part, consumer) => store(part, windows, connections[consumer] as Connection)))
      if (closesIdle) await closeIdleSessions(database, 1000)
    }
    await closeIdleSessions(database, 1000)
  }

  async function storedRows(tenant: number): Promise<ExpectedRows> {
    const of = async (columns: string, table: string, order: string) =>
      (await database.query(`select ${columns} from ${table} where tenant_id = $1 order by ${order}`, [tenant])).rows
    const client = 'device_type, browser, os, ip'
    return {
      sessions: await of(
        `session_id, user_id, started_at, last_seen_at, ended_at, end_reason, ${client}`,
        'user_sessions',
        'session_id',
      ),
      logins: await of(
        `message_id, user_id, "timestamp", method, ${client}`,
        'login_events',
        'substr(message_id, 2)::integer',
      ),
      activities: await of(
        'message_id, user_id, "timestamp", action, entity_type, entity_id',
        'activity_logs',
        'substr(message_id, 2)::integer',
      ),
    } as ExpectedRows
  }

  it('sessions, logins and activities do not depend on the order of events, nor on batches, partitions, concurrent consumers and retries', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ events, arrival }) => {
        const tenant = ++tenantId
        const sent = events.map((one, n) => toEvent(one, tenant, n))
        await arrive(sent, arrival)
        expect(await storedRows(tenant)).toEqual(expectedRows(sent))
      }),
      { numRuns: 150, endOnFailure: false },
    )
  })
})
