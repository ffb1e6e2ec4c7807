import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import type { LateDay } from '@millrace/contracts'
import { type Connection, type Database, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { LateEventReader } from '../src/invalidation/late-event-reader.js'

const group = { stream: 'events', consumerGroup: 'events-store' }

describe('the reader of late events', () => {
  let test: TestDatabase
  let database: Database
  let reader: LateEventReader
  let reported: string[]

  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })
  beforeEach(async () => {
    await database.query('truncate window_versions, stream_partitions')
    reported = []
    reader = open()
    await read()
  })

  const open = () => new LateEventReader(group, { reader: database, monotonicMs: () => performance.now() })
  const note = async (windows: readonly LateDay[]) =>
    void reported.push(...windows.map(({ event, day }) => `${event} ${day}`))
  const read = async (at = reader) => {
    reported = []
    await at.read(note)
    return reported
  }
  const bump = (at: Pick<Database | Connection, 'query'>, event: string) =>
    at.query(
      `insert into window_versions as w (tenant_id, event, day) values (1, $1, '2026-11-01') on conflict (tenant_id, event, day) do update
       set version = w.version + 1, changed_at = excluded.changed_at, changed_xid = excluded.changed_xid`,
      [event],
    )

  it('reports each change once, and a second change of the same day again', async () => {
    await bump(database, 'a')
    expect(await read()).toEqual(['a 2026-11-01'])
    expect(await read()).toEqual([])
    await bump(database, 'a')
    await bump(database, 'b')
    expect((await read()).sort()).toEqual(['a 2026-11-01', 'b 2026-11-01'])
  })

  it('misses neither a transaction that commits after others that started later, nor a second change meanwhile', async () => {
    const early = await database.connection()
    try {
      await early.query('begin')
      await bump(early, 'early')
      await bump(database, 'late')
      expect(await read()).toEqual(['late 2026-11-01'])
      expect(await read()).toEqual([])
      await bump(database, 'late')
      expect(await read()).toEqual(['late 2026-11-01'])
      await early.query('commit')
      expect(await read()).toEqual(['early 2026-11-01'])
      expect(await read()).toEqual([])
    } finally {
      await early.close()
    }
  })

  it('reports changes again that could not be handled', async () => {
    await bump(database, 'a')
    await expect(reader.read(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await read()).toEqual(['a 2026-11-01'])
  })

  it('continues from the position of another process, and rejects a position ahead of the server', async () => {
    const place = reader.cursor as NonNullable<typeof reader.cursor>
    await bump(database, 'a')
    const next = open()
    expect(await read(next)).toEqual([])
    expect(await next.resume(place, note)).toBe(true)
    expect(reported).toEqual(['a 2026-11-01'])
    reported = []
    expect(await next.resume({ ...place, bound: '9000000000000000000' }, note)).toBe(false)
    expect(reported).toEqual([])
  })

  it('has the minimum watermark of all partitions, and none while one was never consumed', async () => {
    const state = `insert into stream_partitions (group_name, stream, partition, watermark) values ('events-store', 'events', $1, $2)`
    expect(reader.watermarkMs).toBe(Number.NEGATIVE_INFINITY)
    await database.query(state, [0, '2026-11-21T08:00:00Z'])
    await database.query(state, [1, '2026-11-21T07:00:00Z'])
    await read()
    expect(reader.watermarkMs).toBe(Date.parse('2026-11-21T07:00:00Z'))
    await database.query(state, [2, null])
    await read()
    expect(reader.watermarkMs).toBe(Number.NEGATIVE_INFINITY)
  })
})
