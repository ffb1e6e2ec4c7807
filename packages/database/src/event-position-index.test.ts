import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import type { Connection } from './connection.js'
import { DayPartitions, dayPartitionName } from './day-partitions.js'
import { ensureEventPositionIndex, hasEventPositionIndex } from './event-position-index.js'
import { EventSegments } from './event-segments.js'
import { migrate } from './migrate.js'
import { type Database, openDatabase } from './open-database.js'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 10, 21)
const never = new AbortController().signal

describe('the index of events by position', () => {
  let test: TestDatabase
  let database: Database
  let connection: Connection
  beforeEach(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    connection = await database.connection({ statementTimeoutMs: 0 })
    await new DayPartitions(database).ensure('events', NOW - DAY, NOW)
    await insert(dayPartitionName('events', NOW), NOW)
  })
  afterEach(async () => {
    await connection.close()
    await database.close()
    await test.release()
  })

  async function insert(table: string, timeMs: number): Promise<void> {
    await database.query(
      `insert into ${table} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
        select n, n, to_timestamp($1 / 1000.0), now(), 1, 3, 0, 'm' || n, 'Seen' from generate_series(1, 2000) n`,
      [timeMs],
    )
  }

  /** The tables that reading one position scans by the index, and those that it scans otherwise. */
  async function planOf(position: number): Promise<{ indexed: number; others: string[] }> {
    const plan = await database.transaction(async (tx) => {
      await tx.query('set local enable_seqscan = off')
      await tx.query('set local enable_bitmapscan = off')
      const { rows } = await tx.query<{ 'QUERY PLAN': string }>(
        `explain select from events where partition = 3 and position >= ${position} order by position limit 10`,
      )
      return rows.map((row) => row['QUERY PLAN']).filter((line) => /Scan/.test(line))
    })
    const indexed = plan.filter((line) => /Index.*Scan using \S+position/.test(line))
    return { indexed: indexed.length, others: plan.filter((line) => !indexed.includes(line)) }
  }

  it('ensureEventPositionIndex covers the days and segments that exist and those that are created later', async () => {
    const segments = new EventSegments({ bytesMin: 1 }, database)
    segments.added(NOW, 2000)
    expect(await segments.roll()).toEqual([`${dayPartitionName('events', NOW)}_s1`])
    expect(await hasEventPositionIndex(database)).toBe(false)

    expect(await ensureEventPositionIndex(connection, never)).toBe(true)
    expect(await hasEventPositionIndex(database)).toBe(true)
    expect(await planOf(5)).toEqual({ indexed: 3, others: [] })

    await new DayPartitions(database).ensure('events', NOW + DAY, NOW + DAY)
    const later = new EventSegments({ bytesMin: 1 }, database)
    await insert(dayPartitionName('events', NOW + DAY), NOW + DAY)
    later.added(NOW + DAY, 2000)
    expect(await later.roll()).toEqual([`${dayPartitionName('events', NOW + DAY)}_s1`])
    expect(await planOf(5)).toEqual({ indexed: 5, others: [] })
    expect(await hasEventPositionIndex(database)).toBe(true)
  })

  it('ensureEventPositionIndex continues after it was interrupted while it built the index of a day', async () => {
    const day = dayPartitionName('events', NOW)
    await database.query('create index events_position on only events (partition, position)')
    // What a build leaves behind whose process was killed: an index that is there and not valid.
    await database.query(`create index ${day}_position on ${day} (partition, position)`)
    await database.query(`update pg_index set indisvalid = false where indexrelid = '${day}_position'::regclass`)
    expect(await ensureEventPositionIndex(connection, never)).toBe(true)
    expect(await planOf(5)).toEqual({ indexed: 2, others: [] })
  })

  it('ensureEventPositionIndex lets writers go on while it builds the index of a table', async () => {
    const writer = await database.connection()
    let built: Promise<boolean> | undefined
    await writer.transaction(async (tx) => {
      await tx.query(
        `insert into ${dayPartitionName('events', NOW)} (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event)
          values (9999, 1, to_timestamp($1 / 1000.0), now(), 1, 3, 0, 'open', 'Seen')`,
        [NOW],
      )
      built = ensureEventPositionIndex(connection, never)
      await insert(dayPartitionName('events', NOW), NOW)
    })
    expect(await built).toBe(true)
    await writer.close()
    expect(await planOf(9999)).toEqual({ indexed: 2, others: [] })
  })
})
