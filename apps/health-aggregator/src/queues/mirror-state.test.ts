import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { type Database, DayPartitions, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { createReadMirror } from './mirror-state.js'

const DAY = 86_400_000
const SCOPE = { topic: 'mirror', group: 'g', stream: 'events' }

describe('the lag of the mirror', () => {
  let test: TestDatabase
  let database: Database
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    await new DayPartitions(database).ensure('event_journal', Date.now() - 2 * DAY, Date.now())
    await database.query(
      `insert into stream_partitions (group_name, stream, partition, next_ordinal) select 'g', 'events', p, 1000 from generate_series(0, 4) p`,
    )
    // Partition 0 is mirrored whole, 1 waits for a record in the middle of a frame of an hour ago, behind which is a frame without records, 2 waits
    // longer than the journal goes back, 3 was never mirrored, 4 is mirrored to another topic.
    await database.query(
      `insert into mirror_positions (topic, group_name, stream, partition, next_ordinal, mirrored_until, missed) values
        ('mirror', 'g', 'events', 0, 1000, now() - interval '9 days', 0), ('mirror', 'g', 'events', 1, 500, now() - interval '9 days', 4),
        ('mirror', 'g', 'events', 2, 500, now() - interval '5 days', 0), ('other', 'g', 'events', 4, 1000, now(), 0)`,
    )
    const frame = (partition: number, first: number, records: number, hours: number) =>
      database.query(
        `insert into event_journal (partition, producer, sequence, first_ordinal, records, duplicates, dead_lettered, committed_at, position, hashes)
         values ($1, gen_random_uuid(), 1, $2, $3, 0, 0, now() - $4 * interval '1 hour', 'p', '')`,
        [partition, first, records, hours],
      )
    await frame(1, 0, 450, 3)
    await frame(1, 450, 0, 2)
    await frame(1, 450, 100, 1)
    await frame(1, 550, 450, 0.5)
    await frame(2, 900, 100, 1)
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  it('is the number of records behind each position, and the age of the oldest of them by the journal or else by the last mirrored event', async () => {
    const lags = await createReadMirror(SCOPE, { database })()
    expect(lags.map((lag) => ({ ...lag, lagSeconds: Math.round(lag.lagSeconds / 60) }))).toEqual([
      { partition: 0, lagRecords: 0, lagSeconds: 0, blockedReason: null, missed: 0 },
      { partition: 1, lagRecords: 500, lagSeconds: 60, blockedReason: null, missed: 4 },
      { partition: 2, lagRecords: 500, lagSeconds: 5 * 24 * 60, blockedReason: null, missed: 0 },
      { partition: 3, lagRecords: null, lagSeconds: 0, blockedReason: null, missed: 0 },
      { partition: 4, lagRecords: null, lagSeconds: 0, blockedReason: null, missed: 0 },
    ])
  })
})
