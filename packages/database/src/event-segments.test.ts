import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { type Database, DayPartitions, dropDayPartitionsBefore, EventSegments, migrate, openDatabase } from './index.js'

const DAY_MS = 86_400_000
const DAY = Date.UTC(2026, 0, 1)
/** Enough for a look, and for a table of more than `SMALL`. */
const ROWS = 10_000
const SMALL = { bytesMin: 100_000 }

describe('segments of a busy day', () => {
  let test: TestDatabase
  let database: Database
  let at = DAY
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  /** A day of its own for each test. */
  async function nextDay(): Promise<number> {
    at += 2 * DAY_MS
    await new DayPartitions(database).ensure('events', at, at)
    return at
  }

  async function store(segments: EventSegments, dayMs: number, rows = ROWS): Promise<void> {
    await database.query(
      `insert into ${segments.tableOf(dayMs)} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
        select n, n, to_timestamp($1::float8 / 1000) + n * interval '1 millisecond', now(), 1, 0, 0, 'm' || n, 'Seen' from generate_series(1, $2::integer) n`,
      [dayMs, rows],
    )
    segments.added(dayMs, rows)
  }

  const nameOf = (dayMs: number): string => `events_${new Date(dayMs).toISOString().slice(0, 10).replaceAll('-', '')}`
  const rowsOf = async (dayMs: number): Promise<[string, bigint][]> =>
    (
      await database.query<{ table: string; rows: bigint }>(
        `select tableoid::regclass::text as table, count(*) as rows from events where "timestamp" >= to_timestamp($1::float8 / 1000) and "timestamp" < to_timestamp($2::float8 / 1000) group by 1 order by 1`,
        [dayMs, dayMs + DAY_MS],
      )
    ).rows.map(({ table, rows }) => [table.slice(nameOf(dayMs).length), rows])

  it('are not created while the table of the day is small', async () => {
    const day = await nextDay()
    const segments = new EventSegments({ bytesMin: 100_000_000 }, database)
    await store(segments, day)
    expect(await segments.roll()).toEqual([])
    expect(await rowsOf(day)).toEqual([['', BigInt(ROWS)]])
  })

  it('follow one another as each fills up, and each row stays where it was and is seen once', async () => {
    const day = await nextDay()
    const segments = new EventSegments(SMALL, database)
    await store(segments, day)
    expect(await segments.roll()).toEqual([`${nameOf(day)}_s1`])
    await store(segments, day, ROWS + 1)
    expect(await segments.roll()).toEqual([`${nameOf(day)}_s2`])
    await store(segments, day, 2)
    expect(await segments.roll()).toEqual([])
    expect(await rowsOf(day)).toEqual([
      ['_s0', BigInt(ROWS)],
      ['_s1', BigInt(ROWS + 1)],
      ['_s2', 2n],
    ])
  })

  it('grow with their day, so that a busy day has fewer than twenty of them', async () => {
    const day = await nextDay()
    const segments = new EventSegments(SMALL, database)
    let added = 0
    for (let round = 0; round < 30; round++) {
      await store(segments, day)
      added += (await segments.roll()).length
    }
    expect(added).toBeGreaterThan(4)
    expect(added).toBeLessThan(16)
  })

  it('accept rows that are written to the table of the day, and refuse rows of another day', async () => {
    const day = await nextDay()
    const segments = new EventSegments(SMALL, database)
    await store(segments, day)
    await segments.roll()
    await store(new EventSegments(SMALL, database), day, 3)
    expect(await rowsOf(day)).toEqual([['_s0', BigInt(ROWS + 3)]])
    const table = segments.tableOf(day)
    await expect(
      database.query(
        `insert into ${table} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event) values (1, 1, to_timestamp($1::float8 / 1000), now(), 1, 0, 0, 'm', 'e')`,
        [day + DAY_MS],
      ),
    ).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR' })
  })

  it('are created once when many writers find the day full, and all writers continue with the newest', async () => {
    const day = await nextDay()
    const writers = Array.from({ length: 6 }, () => new EventSegments(SMALL, database))
    for (const writer of writers) await store(writer, day)
    // Whoever does not get the lock in time comes again.
    for (let round = 0; round < 50 && writers.some((writer) => !writer.tableOf(day).includes('_s')); round++) {
      await Promise.all(writers.map((writer) => writer.roll()))
      for (const writer of writers) writer.added(day, ROWS)
    }
    expect(new Set(writers.map((writer) => writer.tableOf(day)))).toEqual(new Set([`${nameOf(day)}_s1`]))
    expect(await rowsOf(day)).toEqual([['_s0', BigInt(6 * ROWS)]])
  })

  it('are not created while a transaction reads the table, and hold up no other writer for long', async () => {
    const day = await nextDay()
    const segments = new EventSegments(SMALL, database)
    await store(segments, day)
    const reader = await database.connection()
    await reader.transaction(async (tx) => {
      await tx.query(`select count(*) from events`)
      expect(await segments.roll()).toEqual([])
      await store(segments, day, ROWS)
    })
    await reader.close()
    expect(await segments.roll()).toEqual([`${nameOf(day)}_s1`])
    expect(await rowsOf(day)).toEqual([['_s0', BigInt(2 * ROWS)]])
  })

  it('keep the check constraints of the table', async () => {
    await database.query(`alter table events add constraint no_poison check (event <> 'Poison')`)
    const day = await nextDay()
    const segments = new EventSegments(SMALL, database)
    await store(segments, day)
    expect(await segments.roll()).toEqual([`${nameOf(day)}_s1`])
    const poison = `insert into ${segments.tableOf(day)} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event) values (1, 1, to_timestamp($1::float8 / 1000), now(), 1, 0, 0, 'm', 'Poison')`
    await expect(database.query(poison, [day])).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR' })
    await database.query('alter table events drop constraint no_poison')
  })

  it('have the indexes of the table, and are dropped with their day', async () => {
    const day = await nextDay()
    const segments = new EventSegments(SMALL, database)
    await store(segments, day)
    await segments.roll()
    const { rows } = await database.query<{ table: string; indexes: bigint }>(
      `select t.relid::regclass::text as table, count(x.indexrelid) filter (where x.indisvalid) as indexes
        from pg_partition_tree($1::regclass) t left join pg_index x on x.indrelid = t.relid where t.isleaf group by 1 order by 1`,
      [nameOf(day)],
    )
    expect(rows).toEqual([
      { table: `${nameOf(day)}_s0`, indexes: 2n },
      { table: `${nameOf(day)}_s1`, indexes: 2n },
    ])
    expect(await dropDayPartitionsBefore(database, 'events', day + DAY_MS)).toContain(nameOf(day))
    expect((await database.query('select to_regclass($1) is null as gone', [`${nameOf(day)}_s1`])).rows).toEqual([
      { gone: true },
    ])
  })
})
