import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import {
  type Database,
  DayPartitions,
  dayPartitionName,
  EventSegments,
  migrate,
  openDatabase,
} from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { summariseTimeIndex } from './summarise-time-index.js'

const NOW = Date.UTC(2026, 10, 21, 12)
const TABLE = dayPartitionName('events', NOW)

describe('the index on time', () => {
  let test: TestDatabase
  let database: Database
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    await new DayPartitions(database).ensure('events', NOW, NOW)
    await insertRows('events', 1)
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  /** Inserts 50,000 rows, one a millisecond, from the millisecond `first` on. */
  async function insertRows(table: string, first: number): Promise<void> {
    await database.query(
      `insert into ${table} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
        select n, n, to_timestamp($1 / 1000.0) + n * interval '1 millisecond', now(), 1, 0, 0, 'm' || n, 'Seen' from generate_series($2::int, $2::int + 49999) n`,
      [NOW, first],
    )
  }

  /** Rows that reading the first 10 ms scans and drops. */
  async function rowsLookedAt(): Promise<number> {
    const plan = await database.transaction(async (tx) => {
      await tx.query('set local enable_seqscan = off')
      const { rows } = await tx.query<{ 'QUERY PLAN': string }>(
        `explain (analyze, format text) select from events where "timestamp" >= '${new Date(NOW).toISOString()}' and "timestamp" < '${new Date(NOW + 10).toISOString()}'`,
      )
      return rows.map((row) => row['QUERY PLAN']).join('\n')
    })
    const removed = plan.matchAll(/Rows Removed by (?:Index Recheck|Filter): (\d+)/g)
    return [...removed].reduce((sum, [, rows]) => sum + Number(rows), 0)
  }

  it('summariseTimeIndex adds new rows to the BRIN index, so that reading a short time range reads few of them', async () => {
    expect(await rowsLookedAt()).toBeGreaterThan(40_000)
    await summariseTimeIndex(database, NOW)
    expect(await rowsLookedAt()).toBeLessThan(10_000)
  })

  it('summariseTimeIndex adds the rows of all segments of a split day', async () => {
    const segments = new EventSegments({ bytesMin: 1 }, database)
    segments.added(NOW - (NOW % 86_400_000), 50_000)
    expect(await segments.roll()).toEqual([`${TABLE}_s1`])
    await insertRows(`${TABLE}_s1`, 1)
    expect(await rowsLookedAt()).toBeGreaterThan(40_000)
    await summariseTimeIndex(database, NOW)
    expect(await rowsLookedAt()).toBeLessThan(10_000)
  })

  it('summariseTimeIndex does nothing while a vacuum holds the table, and does not wait for it', async () => {
    await insertRows(`${TABLE}_s1`, 50_001)
    const lookedAt = await rowsLookedAt()
    const holder = await database.connection()
    await holder.transaction(async (tx) => {
      await tx.query(`lock table ${TABLE} in share update exclusive mode`)
      await summariseTimeIndex(database, NOW)
    })
    await holder.close()
    expect(await rowsLookedAt()).toBe(lookedAt)
  })
})
