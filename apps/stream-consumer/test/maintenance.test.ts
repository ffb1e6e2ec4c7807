import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, EventSegments, migrate, openDatabase } from '@millrace/database'
import { COARSE_LEVELS } from '@millrace/rollups'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { SeriesRegistry } from '../src/aggregate/series-registry.js'
import { closeIdleSessions } from '../src/maintain/close-idle-sessions.js'
import { createPartitionsAhead } from '../src/maintain/create-partitions.js'
import { sessionStep } from '../src/typed/session-step.js'
import { readTypedEvent, type TypedEvent } from '../src/typed/typed-event.js'
import { createReadUserAgent } from '../src/typed/user-agent.js'
import { runRetention } from './support/run-retention.js'

const DAY = 86_400_000

describe('background work', () => {
  let testDatabase: TestDatabase
  let database: Database

  beforeAll(async () => {
    testDatabase = await createTestDatabase({ migrate })
    database = openDatabase({ url: testDatabase.url })
  })

  afterAll(async () => {
    await database.close()
    await testDatabase.release()
  })

  const partitionsOf = async (table: string): Promise<number> =>
    (await database.query('select 1 from pg_inherits where inhparent = $1::regclass', [table])).rows.length

  it('maintenance creates day partitions ahead and drops those beyond their retention, also when two processes do it at once', async () => {
    const nowMs = Date.now()
    await new DayPartitions(database).ensure('events', nowMs - 20 * DAY, nowMs - 5 * DAY)
    await new DayPartitions(database).ensure('event_journal', nowMs - 5 * DAY, nowMs)
    const maintain = async () => {
      await createPartitionsAhead(new DayPartitions(database), nowMs)
      await runRetention(database, { nowMs })
    }
    await Promise.all([maintain(), maintain()])
    // Days -10 to -5 and -1 to +3.
    expect(await partitionsOf('events')).toBe(11)
    // Days -2 to +3: a row as old as the deduplication window lies in one of them.
    expect(await partitionsOf('event_journal')).toBe(6)
    expect(await partitionsOf('rollups_1m')).toBe(5)
  })

  it('retention counts the stored events of each tenant as expired, in every segment of a day, in the transaction that drops them', async () => {
    const nowMs = Date.now()
    const old = nowMs - 12 * DAY
    await new DayPartitions(database).ensure('events', old, old)
    const insert = (table: string, tenant: number, events: number, firstPosition: number) =>
      database.query(
        `insert into ${table} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
         select $4::int + n, n, to_timestamp($1 / 1000.0), now(), $2, 0, 0, 'm' || n, 'Seen' from generate_series(1, $3::int) n`,
        [old, tenant, events, firstPosition],
      )
    const segments = new EventSegments({ bytesMin: 1 }, database)
    segments.added(old - (old % DAY), 50_000)
    await insert('events', 1, 3, 0)
    const [second] = await segments.roll()
    await insert(`${second}`, 1, 4, 3)
    await insert(`${second}`, 2, 5, 7)
    // Loaded past the stream, so the ledger has never counted them.
    await insert('events', 2, 10, -100)
    // A day without segments.
    await new DayPartitions(database).ensure('events', old - DAY, old - DAY)
    await database.query(
      `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
       values (0, 0, to_timestamp($1 / 1000.0), now(), 3, 0, 0, 'm', 'Seen')`,
      [old - DAY],
    )
    const expired = async () =>
      (await database.query('select stream, tenant_id, expired from ledger_expired order by tenant_id')).rows
    const deleted: [string, number][] = []
    const run = { nowMs, onRowsDeleted: (relation: string, rows: number) => void deleted.push([relation, rows]) }
    await database.query(
      `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$`,
    )
    await database.query('create trigger refuse before insert on ledger_expired for each row execute function refuse()')
    await expect(runRetention(database, run)).rejects.toThrow(/no/)
    await database.query('drop trigger refuse on ledger_expired')
    expect(await expired()).toEqual([])
    for (let again = 0; again < 2; again++) {
      await runRetention(database, run)
      expect(await expired()).toEqual([
        { stream: 'events', tenant_id: 1, expired: 7n },
        { stream: 'events', tenant_id: 2, expired: 5n },
        { stream: 'events', tenant_id: 3, expired: 1n },
      ])
    }
    expect(deleted.at(-1)).toEqual(['events', 12])
    const { rows } = await database.query(
      `select relname from pg_class where relname like 'retired%' and relkind in ('r', 'p')`,
    )
    expect(rows).toEqual([])
  })

  const oldestWindows = async (): Promise<(Date | undefined)[]> =>
    Promise.all(
      COARSE_LEVELS.map(async ({ table }) => {
        const { rows } = await database.query<{ oldest: Date }>(`select min(window_start) as oldest from ${table}`)
        return rows[0]?.oldest
      }),
    )

  it('retention keeps the windows of each rollup level for their time, and no level shorter than the next finer one', async () => {
    const nowMs = Date.UTC(2026, 10, 21, 12)
    const day = (back: number) => new Date(Date.UTC(2026, 10, 21 - back))
    await database.query(
      `insert into rollup_series (tenant_id, event, dimensions, dimension_values) values (1, 'Seen', '{}', '{}')`,
    )
    for (const { table } of COARSE_LEVELS)
      await database.query(
        `insert into ${table} (window_start, tenant_id, series_id, count)
         select $1::timestamptz - n * interval '1 day', 1, 1, 1 from generate_series(0, 100) n`,
        [day(0)],
      )
    // The finest level is asked to be shorter than the events that it is made from.
    const asked = new Map(COARSE_LEVELS.map(({ name }, index) => [name, index === 0 ? 5 : 10 + 10 * index]))
    const keptDays = COARSE_LEVELS.map((_, index) => 10 + 10 * index)
    await database.query(`update rollup_levels set kept_from = '-infinity', emptied_to = '-infinity'`)
    const deleted: [string, number][] = []
    const retain = () =>
      runRetention(database, {
        nowMs,
        levelsMs: Object.fromEntries([...asked].map(([name, days]) => [name, days * DAY])),
        onRowsDeleted: (...given) => deleted.push(given),
      })
    await retain()
    const keptFrom = async () =>
      (await database.query('select level_seconds, kept_from from rollup_levels order by 1')).rows
    const expected = [
      { level_seconds: 60, kept_from: day(10) },
      ...COARSE_LEVELS.map(({ seconds }, index) => ({ level_seconds: seconds, kept_from: day(keptDays[index] ?? 0) })),
    ]
    expect(await keptFrom()).toEqual(expected)
    expect(await oldestWindows()).toEqual(keptDays.map(day))
    expect(deleted).toEqual(COARSE_LEVELS.map(({ table }, index) => [table, 100 - (keptDays[index] ?? 0)]))
    // A longer retention does not bring deleted windows back, so the cutoff stays where it was.
    asked.set('1d', 300)
    await retain()
    expect(deleted).toHaveLength(COARSE_LEVELS.length)
    expect(await keptFrom()).toEqual(expected)
  })

  it('retention deletes no rollup windows when it cannot publish from which time on windows are kept', async () => {
    const nowMs = Date.UTC(2026, 10, 23, 12)
    const before = await oldestWindows()
    const holder = await database.connection()
    await holder.transaction(async (tx) => {
      await tx.query('select from rollup_levels for share')
      const impatient = openDatabase({ url: `${testDatabase.url}?options=-c%20lock_timeout%3D200`, retryAttempts: 1 })
      await expect(runRetention(impatient, { nowMs })).rejects.toMatchObject({ code: 'DATABASE_LOCK_TIMEOUT' })
      await impatient.close()
    })
    await holder.close()
    expect(await oldestWindows()).toEqual(before)
  })

  /** For each tenant and time: a login, an activity, a session that ended then, and an active session. */
  async function fillTyped(tenants: readonly number[], times: readonly number[]): Promise<void> {
    const at = times.map((ms) => new Date(ms).toISOString())
    const rows = 'unnest($1::integer[]) t, unnest($2::timestamptz[]) at'
    for (const text of [
      `insert into login_events (tenant_id, message_id, "timestamp", method, success) select t, 'm', at, 'email', true from ${rows}`,
      `insert into activity_logs (tenant_id, message_id, user_id, "timestamp", action, entity_type, entity_id)
         select t, 'm', 'ann', at, 'viewed', 'page', '1' from ${rows}`,
      `insert into user_sessions (tenant_id, session_id, started_at, last_seen_at, ended_at)
         select t, row_number() over () || ' over', timestamptz 'epoch', at, at from ${rows} union all select t, row_number() over () || ' goes on', at, at, null from ${rows}`,
    ])
      await database.query(text, [tenants, at])
  }

  const typedRows = async () => {
    const { rows } = await database.query<{ logins: Date[]; activities: Date[]; over: Date[]; active: bigint }>(
      `select (select array_agg("timestamp" order by tenant_id, "timestamp") from login_events) as logins,
         (select array_agg("timestamp" order by tenant_id, "timestamp") from activity_logs) as activities,
         (select array_agg(last_seen_at order by tenant_id, last_seen_at) from user_sessions where ended_at is not null) as over,
         (select count(*) from user_sessions where ended_at is null) as active`,
    )
    return rows[0]
  }

  it('retention deletes logins, activities and ended sessions with the events of their day, and keeps active sessions', async () => {
    const nowMs = Date.UTC(2026, 10, 21, 12)
    const first = Date.UTC(2026, 10, 11)
    await fillTyped([3, 5], [first - 300 * DAY, first - 2, first - 1, first, first + 1])
    const deleted: [string, number][] = []
    await runRetention(database, { nowMs, onRowsDeleted: (...given) => deleted.push(given) })
    const kept = [first, first + 1, first, first + 1].map((ms) => new Date(ms))
    expect(await typedRows()).toEqual({ logins: kept, activities: kept, over: kept, active: 10n })
    const ofTenants = ['login_events', 'activity_logs'].flatMap((table) => Array(2).fill([table, 3]))
    expect(deleted.filter(([table]) => !table.startsWith('rollups'))).toEqual([...ofTenants, ['user_sessions', 6]])
    await database.query('truncate login_events, activity_logs, user_sessions')
  })

  it('closeIdleSessions ends all idle sessions, also when they are more than one transaction takes', async () => {
    await fillTyped([3], [1, 2, 3, 4, 5])
    expect(await closeIdleSessions(database, 1000, 2)).toBe(5)
    await database.query('truncate login_events, activity_logs, user_sessions')
  })

  const sessionEvent = (
    event: string,
    atMs: number,
    properties: object = {},
    over: Partial<TypedEvent['row']> = {},
  ): TypedEvent =>
    readTypedEvent(
      {
        userHash: 0n,
        timestampMs: atMs,
        receivedAtMs: atMs,
        tenantId: 1,
        type: 0,
        messageId: 'm',
        event,
        userId: 'ann',
        anonymousId: null,
        properties: JSON.stringify({ session_id: 's', ...properties }),
        context: null,
        ...over,
      },
      createReadUserAgent(),
    )

  const merge = async (...events: TypedEvent[]): Promise<Record<string, unknown> | undefined> => {
    const step = sessionStep(events)
    if (step !== null && 'text' in step) await database.query(step)
    const { rows } = await database.query('select started_at, last_seen_at, ended_at, end_reason from user_sessions')
    return rows[0]
  }

  it('an idle session ends as of its last event, and goes on with a later one', async () => {
    const startMs = Date.now() - 3_600_000
    await merge(sessionEvent('$session_start', startMs))
    expect(await closeIdleSessions(database, 30 * 60_000)).toBe(1)
    expect(await closeIdleSessions(database, 30 * 60_000)).toBe(0)
    expect(await merge()).toMatchObject({ ended_at: new Date(startMs), end_reason: 'idle' })
    expect(await merge(sessionEvent('$activity', startMs - 1000))).toMatchObject({
      ended_at: new Date(startMs),
      end_reason: 'idle',
      started_at: new Date(startMs - 1000),
    })
    expect(await merge(sessionEvent('$activity', startMs + 1000))).toMatchObject({
      ended_at: null,
      end_reason: null,
      last_seen_at: new Date(startMs + 1000),
    })
    await database.query('truncate user_sessions')
  })

  it('a session ends with its last $session_end, goes on when an event is later, and never ends before it was last seen', async () => {
    const startMs = Date.now() - 3_600_000
    const at = (seconds: number) => new Date(startMs + seconds * 1000)
    const end = (seconds: number, reason: string) => sessionEvent('$session_end', at(seconds).getTime(), { reason })
    await merge(sessionEvent('$session_start', startMs))
    const ended = { ended_at: at(5), end_reason: 'logout', last_seen_at: at(5), started_at: at(0) }
    expect(await merge(end(5, 'logout'))).toMatchObject(ended)
    expect(await merge(end(3, 'timeout'))).toMatchObject(ended)
    expect(await merge(end(5, 'logout'), end(5, 'z'), end(5, 'idle'))).toMatchObject(ended)
    expect(await merge(sessionEvent('$activity', at(6).getTime()))).toMatchObject({
      ended_at: null,
      end_reason: null,
      last_seen_at: at(6),
    })
    expect(await merge(end(4, 'late'))).toMatchObject({ ended_at: null, last_seen_at: at(6) })
    expect(await closeIdleSessions(database, 30 * 60_000)).toBe(1)
    expect(await merge(end(6, 'closed'))).toMatchObject({ ended_at: at(6), end_reason: 'closed' })
    await database.query('truncate user_sessions')
  })

  it('a session belongs to the user who logs in, whichever event arrives first, also when its row is older than this rule', async () => {
    const startMs = Date.now() - 3_600_000
    const anonymous = sessionEvent('$session_start', startMs, {}, { userId: null, anonymousId: 'a-1' })
    const login = sessionEvent('$login', startMs, {})
    for (const order of [
      [anonymous, login],
      [login, anonymous],
    ]) {
      for (const one of order) await merge(one)
      expect((await database.query('select user_id from user_sessions')).rows).toEqual([{ user_id: 'ann' }])
      await database.query('truncate user_sessions')
    }
    await database.query(
      `insert into user_sessions (tenant_id, session_id, user_id, started_at, last_seen_at, browser) values (1, 's', 'a-1', $1, $1, 'Firefox')`,
      [new Date(startMs + 1)],
    )
    await merge(
      anonymous,
      sessionEvent('$login', startMs, {}, { context: JSON.stringify({ userAgent: 'Opera/9.80' }) }),
    )
    expect((await database.query('select user_id, browser, started_at from user_sessions')).rows).toEqual([
      { user_id: 'ann', browser: 'Firefox', started_at: new Date(startMs) },
    ])
    await database.query('truncate user_sessions')
  })

  it('a full definition still finds the series that another process registered', async () => {
    const keys = (names: string[]): string[] =>
      names.map((name) => JSON.stringify([1, 'Flight', null, ['properties.a', 'properties.b'], [name, null]]))
    const first = new SeriesRegistry({ seriesMax: 3 }, { database })
    const [abc] = await first.resolve([keys(['a', 'b', 'c'])])
    const second = new SeriesRegistry({ seriesMax: 3 }, { database })
    const [mixed] = await second.resolve([keys(['d', 'a'])])
    expect(mixed?.[1]?.id).toBe(abc?.[0]?.id)
    const [others] = await second.resolve([keys(['b', 'e', 'c'])])
    expect(others?.map((series) => series?.id)).toEqual([abc?.[1]?.id, mixed?.[0]?.id, abc?.[2]?.id])
  })

  it('a series is registered once when several processes meet it at the same time', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => JSON.stringify([7, `event ${i}`, null, [], []]))
    const found = await Promise.all(
      Array.from({ length: 4 }, () => new SeriesRegistry({ seriesMax: 40 }, { database }).resolve([keys])),
    )
    const ids = found.map(([series]) => series?.map((one) => one?.id))
    expect(new Set(ids[0]).size).toBe(41)
    for (const one of ids) expect(one).toEqual(ids[0])
  })
})
