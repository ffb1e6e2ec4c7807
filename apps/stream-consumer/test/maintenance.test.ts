import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { SeriesRegistry } from '../src/aggregate/series-registry.js'
import { closeIdleSessions } from '../src/maintain/close-idle-sessions.js'
import { deleteTypedRows } from '../src/maintain/delete-typed-rows.js'
import { keepPartitions } from '../src/maintain/keep-partitions.js'
import { deleteGoneWindows, raiseHorizons } from '../src/maintain/keep-rollups.js'
import { sessionStep } from '../src/typed/session-step.js'
import { readTypedEvent, type TypedEvent } from '../src/typed/typed-event.js'
import { createReadUserAgent } from '../src/typed/user-agent.js'

const DAY = 86_400_000
const ROLLUPS = { minutesMs: 10 * DAY, fiveMinutesMs: 10 * DAY, hoursMs: 20 * DAY, daysMs: 30 * DAY }

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

  it('makes partitions ahead and drops those past their retention, also when two do it at once', async () => {
    const nowMs = Date.now()
    await new DayPartitions(database).ensure('events', nowMs - 20 * DAY, nowMs - 5 * DAY)
    await new DayPartitions(database).ensure('event_journal', nowMs - 5 * DAY, nowMs)
    const keep = () =>
      keepPartitions(
        { retentionMs: 10 * DAY, windowMs: DAY, rollups: ROLLUPS },
        { ...deps, dayPartitions: new DayPartitions(database), now: () => nowMs },
      )
    const deps = { database, logger: silentLogger, onDeleted: () => undefined, signal: new AbortController().signal }
    await Promise.all([keep(), keep()])
    // Days -10 to -5 and -1 to +3.
    expect(await partitionsOf('events')).toBe(11)
    // Days -2 to +3: a row that is a window old lies in one of them.
    expect(await partitionsOf('event_journal')).toBe(6)
    expect(await partitionsOf('rollups_1m')).toBe(5)
  })

  it('says from when on the windows of each level are kept before it deletes those before, and never keeps a level shorter than the next finer one', async () => {
    const nowMs = Date.UTC(2026, 10, 21, 12)
    const day = (back: number) => new Date(Date.UTC(2026, 10, 21 - back))
    await database.query(
      `insert into rollup_series (tenant_id, event, dimensions, dimension_values) values (1, 'Seen', '{}', '{}')`,
    )
    for (const table of ['rollups_5m', 'rollups_1h', 'rollups_1d'])
      await database.query(
        `insert into ${table} (window_start, tenant_id, series_id, count)
         select $1::timestamptz - n * interval '1 day', 1, 1, 1 from generate_series(0, 40) n`,
        [day(0)],
      )
    const oldest = async () =>
      (
        await database.query<{ oldest: Date }>(
          `select min(window_start) as oldest from rollups_5m union all select min(window_start) from rollups_1h union all select min(window_start) from rollups_1d`,
        )
      ).rows.map((row) => row.oldest)
    const retention = { minutesMs: 10 * DAY, fiveMinutesMs: 5 * DAY, hoursMs: 20 * DAY, daysMs: 30 * DAY }
    await database.query(`update rollup_levels set kept_from = '-infinity', emptied_to = '-infinity'`)
    const connection = await database.connection()
    try {
      await raiseHorizons(connection, retention, nowMs)
      const { rows } = await database.query('select level_seconds, kept_from from rollup_levels order by 1')
      expect(rows).toEqual([
        { level_seconds: 60, kept_from: day(10) },
        { level_seconds: 300, kept_from: day(10) },
        { level_seconds: 3600, kept_from: day(20) },
        { level_seconds: 86_400, kept_from: day(30) },
      ])
      expect(await oldest()).toEqual([day(40), day(40), day(40)])
      expect(await deleteGoneWindows(connection)).toBe(30 + 20 + 10)
      expect(await oldest()).toEqual([day(10), day(20), day(30)])
      // A longer retention later does not say that what is gone is there.
      await raiseHorizons(connection, { ...retention, daysMs: 300 * DAY }, nowMs)
      expect(await deleteGoneWindows(connection)).toBe(0)
      expect((await database.query('select level_seconds, kept_from from rollup_levels order by 1')).rows).toEqual(rows)
    } finally {
      await connection.close()
    }
  })

  /** A login and an activity of each instant, and sessions that were seen then for the last time, or still go on. */
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

  it('deletes logins, activities and ended sessions with the events of their day, and no session that goes on', async () => {
    const nowMs = Date.UTC(2026, 10, 21, 12)
    const first = Date.UTC(2026, 10, 11)
    await fillTyped([3, 5], [first - 300 * DAY, first - 2, first - 1, first, first + 1])
    const deleted: [string, number][] = []
    const onDeleted = (...given: [string, number]) => void deleted.push(given)
    const deps = { database, logger: silentLogger, onDeleted, signal: new AbortController().signal }
    await keepPartitions(
      { retentionMs: 10 * DAY, windowMs: DAY, rollups: ROLLUPS },
      { ...deps, dayPartitions: new DayPartitions(database), now: () => nowMs },
    )
    const kept = [first, first + 1, first, first + 1].map((ms) => new Date(ms))
    expect(await typedRows()).toEqual({ logins: kept, activities: kept, over: kept, active: 10n })
    const ofTenants = ['login_events', 'activity_logs'].flatMap((table) => Array(2).fill([table, 3]))
    expect(deleted).toEqual([...ofTenants, ['user_sessions', 6]])
    await database.query('truncate login_events, activity_logs, user_sessions')
  })

  it('deletes them some at a time, past what a consumer is writing, and stops when it is told to', async () => {
    await fillTyped([3, 5], [1, 1, 1, 2, 3, 4, 5, 6, 7])
    await database.query(`delete from user_sessions where ended_at is null`)
    const deleted: number[] = []
    const stop = new AbortController()
    const connection = await database.connection()
    const run = (signal: AbortSignal, onDeleted = (_: string, rows: number) => void deleted.push(rows)) =>
      deleteTypedRows({ beforeMs: 7, rowsMax: 2 }, { connection, onDeleted, signal })
    try {
      await run(stop.signal, (_, rows) => {
        deleted.push(rows)
        stop.abort()
      })
      expect(deleted).toEqual([2])
      await database.transaction(async (tx) => {
        await tx.query(
          `select from user_sessions where tenant_id = 5 and last_seen_at <= to_timestamp(0.002) for update`,
        )
        await run(new AbortController().signal)
      })
      const rest = await typedRows()
      expect([rest?.logins.length, rest?.activities.length, rest?.over.length]).toEqual([2, 2, 6])
      expect(Math.max(...deleted)).toBe(2)
      await run(new AbortController().signal)
      expect((await typedRows())?.over.length).toBe(2)
    } finally {
      await connection.close()
      await database.query('truncate login_events, activity_logs, user_sessions')
    }
  })

  it('ends all idle sessions at a time, however many there are', async () => {
    await fillTyped([3], [1, 2, 3, 4, 5])
    expect(await closeIdleSessions(database, 1000, 2)).toBe(5)
    await database.query('truncate login_events, activity_logs, user_sessions')
  })

  const sessionEvent = (event: string, atMs: number, properties: object = {}): TypedEvent =>
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
      },
      createReadUserAgent(),
    )

  const merge = async (...events: TypedEvent[]): Promise<Record<string, unknown> | undefined> => {
    const step = sessionStep(events)
    if (step !== null && 'text' in step) await database.query(step)
    const { rows } = await database.query('select started_at, last_seen_at, ended_at, end_reason from user_sessions')
    return rows[0]
  }

  it('ends an idle session as of when it was last seen, opens it again when it is heard of, and ends it for good by its event', async () => {
    const startMs = Date.now() - 3_600_000
    await merge(sessionEvent('$session_start', startMs))
    expect(await closeIdleSessions(database, 30 * 60_000)).toBe(1)
    expect(await closeIdleSessions(database, 30 * 60_000)).toBe(0)
    expect(await merge()).toMatchObject({ ended_at: new Date(startMs), end_reason: 'idle' })
    expect(await merge(sessionEvent('$activity', startMs + 1000))).toMatchObject({
      ended_at: null,
      end_reason: null,
      last_seen_at: new Date(startMs + 1000),
    })
    const ended = { ended_at: new Date(startMs + 5000), end_reason: 'logout', started_at: new Date(startMs) }
    expect(await merge(sessionEvent('$session_end', startMs + 5000, { reason: 'logout' }))).toMatchObject(ended)
    expect(await merge(sessionEvent('$activity', startMs + 6000))).toMatchObject(ended)
  })

  it('finds series that another process registered although the definition is full', async () => {
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

  it('registers a series once when two processes meet it at the same time', async () => {
    const keys = Array.from({ length: 50 }, (_, i) => JSON.stringify([7, `event ${i}`, null, [], []]))
    const found = await Promise.all(
      Array.from({ length: 4 }, () => new SeriesRegistry({ seriesMax: 40 }, { database }).resolve([keys])),
    )
    const ids = found.map(([series]) => series?.map((one) => one?.id))
    expect(new Set(ids[0]).size).toBe(41)
    for (const one of ids) expect(one).toEqual(ids[0])
  })
})
