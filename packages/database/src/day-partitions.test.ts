import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, startTestPostgresServer, type TestDatabase, waitFor } from '@millrace/testing'
import {
  type Database,
  DayPartitions,
  dayPartitionName,
  dropDayPartitionsBefore,
  EventSegments,
  migrate,
  openDatabase,
  PARTITIONED_TABLES,
} from './index.js'

const DAY_MS = 86_400_000
const day = (n: number) => Date.UTC(2026, 0, 1) + n * DAY_MS

const insertEvent = (timeMs: number) => ({
  text: `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event) values (1, 1, to_timestamp($1), now(), 1, 0, 0, 'm', 'e') returning tableoid::regclass::text as table`,
  values: [timeMs / 1000],
})

describe('day partitions', () => {
  let test: TestDatabase
  let database: Database
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url, lockTimeoutMs: 5_000 })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  it('are named after the UTC day that they hold', () => {
    expect(dayPartitionName('events', Date.UTC(2026, 10, 21, 23, 59, 59, 999))).toBe('events_20261121')
  })

  it.each(PARTITIONED_TABLES)(
    'of the table %s are created once, with the indexes of their parent, when eight processes create them at once',
    async (table) => {
      const makers = Array.from({ length: 8 }, () => new DayPartitions(database))
      await Promise.all(makers.map((maker) => maker.ensure(table, day(0), day(4))))
      expect(makers[0]?.isKnown(table, day(4) + DAY_MS - 1)).toBe(true)
      expect(makers[0]?.isKnown(table, day(5))).toBe(false)
      const { rows } = await database.query<{ children: bigint; indexes: bigint }>(
        `select count(distinct i.inhrelid) as children, count(x.indexrelid) as indexes from pg_inherits i left join pg_index x on x.indrelid = i.inhrelid where i.inhparent = $1::regclass`,
        [table],
      )
      const parents = await database.query<{ n: bigint }>(
        'select count(*) as n from pg_index where indrelid = $1::regclass',
        [table],
      )
      expect(rows).toEqual([{ children: 5n, indexes: 5n * (parents.rows[0]?.n ?? 0n) }])
    },
  )

  it('hold the rows of their day, to the microsecond', async () => {
    await new DayPartitions(database).ensure('events', day(10), day(11))
    for (const [timeMs, table] of [
      [day(10), 'events_20260111'],
      [day(11) - 1, 'events_20260111'],
      [day(11), 'events_20260112'],
    ] as const) {
      expect((await database.query(insertEvent(timeMs))).rows).toEqual([{ table }])
    }
  })

  it('are created without waiting for transactions that read and write other days', async () => {
    await new DayPartitions(database).ensure('events', day(20), day(20))
    const busy = await database.connection()
    await busy.transaction(async (tx) => {
      await tx.query(insertEvent(day(20)))
      await tx.query('select count(*) from events')
      await new DayPartitions(database).ensure('events', day(21), day(21))
      expect((await database.query(insertEvent(day(21)))).rows).toEqual([{ table: 'events_20260122' }])
    })
    await busy.close()
  })

  it('are refused for a range of more than 1,000 days', async () => {
    await expect(new DayPartitions(database).ensure('events', 0, day(0))).rejects.toThrow(/too many/)
  })

  it('are dropped by whole days, oldest first, and can be created again', async () => {
    const partitions = new DayPartitions(database)
    await partitions.ensure('event_journal', day(0), day(4))
    expect(await dropDayPartitionsBefore(database, 'event_journal', day(2) + 1)).toEqual([
      'event_journal_20260101',
      'event_journal_20260102',
    ])
    expect(await dropDayPartitionsBefore(database, 'event_journal', day(2))).toEqual([])
    partitions.forget()
    await partitions.ensure('event_journal', day(0), day(0))
    expect((await database.query(`select to_regclass('event_journal_20260101')::text as name`)).rows).toEqual([
      { name: 'event_journal_20260101' },
    ])
  })

  it('are dropped by the next call when detaching them was interrupted', async () => {
    await new DayPartitions(database).ensure('events', day(30), day(32))
    const reader = await database.connection()
    const impatient = openDatabase({ url: test.url, statementTimeoutMs: 300, retryAttempts: 1 })
    await reader.transaction(async (tx) => {
      await tx.query('select count(*) from events')
      await expect(dropDayPartitionsBefore(impatient, 'events', day(31))).rejects.toMatchObject({
        code: 'DATABASE_TIMEOUT',
      })
    })
    await waitFor(
      async () => (await dropDayPartitionsBefore(database, 'events', day(31))).at(-1) === 'events_20260131',
      {
        deadlineMs: 30_000,
      },
    )
    await impatient.close()
    await reader.close()
  })

  it('can be written again at once when retention died after it had detached them, and the old table is dropped later', async () => {
    await dropDayPartitionsBefore(database, 'events', day(40))
    await new DayPartitions(database).ensure('events', day(40), day(40))
    await database.query(insertEvent(day(40)))
    await database.query('alter table events detach partition events_20260210')
    await new DayPartitions(database).ensure('events', day(40), day(40))
    await database.query(insertEvent(day(40)))
    const dropped: string[] = []
    const beforeDrop = async (retired: string) => {
      dropped.push(retired.replace(/\d+$/, 'oid'))
      return []
    }
    await dropDayPartitionsBefore(database, 'events', day(40), { beforeDrop })
    expect(dropped).toEqual(['retired_events_20260210_oid'])
    expect((await database.query('select from events_20260210')).rowCount).toBe(1)
  })

  it('are renamed with their segments before they are dropped, so that no writer adds a row after beforeDrop was called', async () => {
    await dropDayPartitionsBefore(database, 'events', day(50))
    await new DayPartitions(database).ensure('events', day(50), day(50))
    const segments = new EventSegments({ bytesMin: 1 }, database)
    segments.added(day(50), 50_000)
    await database.query(insertEvent(day(50)))
    expect(await segments.roll()).toEqual(['events_20260220_s1'])
    const seen: unknown[] = []
    const beforeDrop = async (retired: string) => {
      const { rows } = await database.query<{ names: unknown }>(
        `select count(to_regclass(name)) as names from unnest($1::text[]) name`,
        [['events_20260220', 'events_20260220_s0', 'events_20260220_s1']],
      )
      seen.push(rows[0]?.names, (await database.query(`select from ${retired}`)).rowCount)
      return undefined
    }
    expect(await dropDayPartitionsBefore(database, 'events', day(51), { beforeDrop })).toEqual([])
    expect(seen).toEqual([0n, 1])
    expect(await dropDayPartitionsBefore(database, 'events', day(51))).toEqual(['events_20260220'])
  })
})

describe('day partitions on the PostgreSQL of the system, where one is installed,', () => {
  it('are created and dropped', async () => {
    const server = await startTestPostgresServer({ binaries: 'system' }).catch(() => startTestPostgresServer())
    await migrate(server.url)
    const database = openDatabase({ url: server.url })
    for (const table of PARTITIONED_TABLES) {
      await new DayPartitions(database).ensure(table, day(0), day(2))
      expect(await dropDayPartitionsBefore(database, table, day(2))).toHaveLength(2)
    }
    await database.close()
    await server.stop()
  })
})
