import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { createRetention, dayPartitions, type RetentionRule, rowsInUse, rowsOfTenants } from '../src/index.js'
import type { RetentionDeps } from '../src/retention.js'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 21, 12)
const at = (dayNumber: number, ms = 0) => new Date(Date.UTC(2026, 10, dayNumber) + ms)

const logins = rowsOfTenants('login_events', { time: 'timestamp', rowsPerStatement: 2 })
const sessions = rowsInUse('user_sessions', {
  key: ['tenant_id', 'session_id'],
  time: 'last_seen_at',
  condition: 'ended_at is not null',
  rowsPerStatement: 2,
})

describe('retention', () => {
  let test: TestDatabase
  let database: Database
  let deleted: [string, number][]
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })
  beforeEach(() => {
    deleted = []
  })
  afterEach(() => database.query('truncate login_events, user_sessions'))

  const create = (rules: readonly RetentionRule[], deps: Partial<RetentionDeps> = {}) =>
    createRetention(
      { rules, lock: 'test' },
      {
        database,
        logger: silentLogger,
        now: () => NOW,
        onRowsDeleted: (...given) => void deleted.push(given),
        ...deps,
      },
    )
  const never = new AbortController().signal

  async function insertLogins(tenants: readonly number[], times: readonly Date[]): Promise<void> {
    await database.query(
      `insert into login_events (tenant_id, message_id, "timestamp", method, success)
       select t, 'm', at, 'email', true from unnest($1::integer[]) t, unnest($2::timestamptz[]) at`,
      [tenants, times],
    )
  }
  async function insertSessions(times: readonly Date[], endedAt: string | null): Promise<void> {
    await database.query(
      `insert into user_sessions (tenant_id, session_id, started_at, last_seen_at, ended_at)
       select 1, coalesce($2, 'active') || row_number() over (), at, at, $2::timestamptz from unnest($1::timestamptz[]) at`,
      [times, endedAt],
    )
  }
  const timesOf = async (table: string, column: string): Promise<Date[]> => {
    const { rows } = await database.query<{ at: Date }>(`select "${column}" as at from ${table} order by 1`)
    return rows.map((row) => row.at)
  }

  it('retention keeps rows at least as long as the rule says, by whole UTC days', async () => {
    await insertLogins([1, 7], [at(10), at(11, -1), at(11), at(21)])
    await create([{ ...logins, keptMs: 10 * DAY }])(never)
    expect(await timesOf('login_events', 'timestamp')).toEqual([at(11), at(11), at(21), at(21)])
  })

  it('retention keeps rows that depend on others at least as long as those, and deletes them afterwards', async () => {
    await new DayPartitions(database).ensure('events', at(1).getTime(), at(3).getTime())
    await insertLogins([1], [at(1), at(2)])
    const order: string[] = []
    const rules = [
      { ...dayPartitions('events'), keptMs: 20 * DAY },
      { ...logins, keptMs: 5 * DAY, dependsOn: 'events' },
    ]
    await create(rules, {
      now: () => NOW + DAY,
      onRowsDeleted: (relation) => order.push(relation),
      onPartitionsDropped: () => order.push('events'),
    })(never)
    expect(order).toEqual(['events', 'login_events'])
    expect(await timesOf('login_events', 'timestamp')).toEqual([at(2)])
  })

  it('retention refuses rules in an order that would delete data before the data it depends on', () => {
    expect(() => create([{ ...logins, keptMs: DAY, dependsOn: 'events' }])).toThrow(
      'login_events depends on events, which has no earlier rule',
    )
  })

  it('retention deletes nothing when the cutoffs could not be published', async () => {
    await insertLogins([1], [at(1)])
    const publishCutoffs = async () => Promise.reject(new Error('down'))
    await expect(create([{ ...logins, keptMs: DAY }], { publishCutoffs })(never)).rejects.toThrow('down')
    expect(await timesOf('login_events', 'timestamp')).toEqual([at(1)])
  })

  it('retention deletes rows a few at a time, stops between two statements, and continues with the next call', async () => {
    await insertLogins([3, 5], [at(1), at(1), at(1), at(2), at(3)])
    const stop = new AbortController()
    const rules = [{ ...logins, keptMs: 18 * DAY }]
    await create(rules, {
      onRowsDeleted: (...given) => {
        deleted.push(given)
        stop.abort()
      },
    })(stop.signal)
    expect(deleted).toEqual([['login_events', 2]])
    await create(rules)(never)
    expect(await timesOf('login_events', 'timestamp')).toEqual([at(3), at(3)])
    expect(Math.max(...deleted.map(([, rows]) => rows))).toBe(2)
  })

  it('retention skips rows that a writer has locked, and those its condition protects', async () => {
    await insertSessions([at(1), at(2), at(3), at(4)], '2026-11-05')
    await insertSessions([at(1)], null)
    const impatient = openDatabase({ url: `${test.url}?options=-c%20lock_timeout%3D500`, retryAttempts: 1 })
    const retain = create([{ ...sessions, keptMs: DAY }], { database: impatient })
    const writer = await database.connection()
    await writer.transaction(async (tx) => {
      await tx.query('select from user_sessions where ended_at is not null and last_seen_at <= $1 for update', [at(2)])
      await retain(never)
    })
    await writer.close()
    expect(await timesOf('user_sessions', 'last_seen_at')).toEqual([at(1), at(1), at(2)])
    await retain(never)
    expect(await timesOf('user_sessions', 'last_seen_at')).toEqual([at(1)])
    await impatient.close()
  })

  it('retention runs in one process at a time; others return at once', async () => {
    await insertLogins([1], [at(1)])
    const holder = await database.connection()
    await holder.query(`select pg_advisory_lock(hashtext('test'))`)
    await create([{ ...logins, keptMs: DAY }])(never)
    expect(deleted).toEqual([])
    await holder.close()
    await create([{ ...logins, keptMs: DAY }])(never)
    expect(deleted).toEqual([['login_events', 1]])
  })
})
