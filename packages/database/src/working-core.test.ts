import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { type Database, DayPartitions, dayPartitionName, dropDayPartitionsBefore, migrate, openDatabase } from './index.js'

let test: TestDatabase
let database: Database
beforeAll(async () => {
  test = await createTestDatabase({ migrate })
  database = openDatabase({ url: test.url })
  await database.query('create table t (id int primary key, name text)')
})
afterAll(async () => {
  await database.close()
  await test.release()
})

function rows(...items: [number, string][]): Buffer {
  return Buffer.concat(items.map(([id, name]) => {
    const b = Buffer.alloc(2 + 8 + 4 + name.length)
    b.writeInt16BE(2, 0); b.writeInt32BE(4, 2); b.writeInt32BE(id, 6); b.writeInt32BE(name.length, 10); b.write(name, 14)
    return b
  }))
}

describe('core', () => {
  it('queries', async () => {
    expect((await database.query('select $1::bigint as n, $2::text as t', [5n, null])).rows).toEqual([{ n: 5n, t: null }])
    expect(await database.ping()).toBeGreaterThan(0)
  })
  it('copies', async () => {
    const connection = await database.connection()
    const target = { table: 't', columns: ['id', 'name'] }
    const n = await connection.transaction(async (tx) => {
      const n = await tx.copyBinary(target, [rows([1, 'a'], [2, 'bb'])])
      await expect(tx.savepoint(() => tx.copyBinary(target, [rows([3, 'c'], [1, 'dup'])]))).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR', details: { sqlState: '23505' } })
      await tx.copyBinary(target, [rows([4, 'dddd'])])
      const r = await tx.pipeline([{ text: 'select count(*) from t', name: 'cnt' }, { copy: target, chunks: [rows([5, 'e'])] }, { text: 'select count(*) from t', name: 'cnt' }])
      expect(r.map((x) => x.rows[0]?.['count'] ?? x.rowCount)).toEqual([3n, 1, 4n])
      tx.atCommit({ text: 'select millrace_fence(1, 1)' })
      return n
    })
    expect(n).toBe(2)
    await expect(connection.transaction(async (tx) => {
      await tx.query('delete from t')
      tx.atCommit({ text: 'select millrace_fence(0, 1)' })
    })).rejects.toMatchObject({ code: 'DATABASE_FENCED' })
    expect((await connection.query('select count(*) as n from t')).rows).toEqual([{ n: 4n }])
    await connection.close()
  })
  it('partitions', async () => {
    const p = new DayPartitions(database)
    const now = Date.UTC(2026, 10, 21)
    await Promise.all([p, new DayPartitions(database), new DayPartitions(database)].map((x) => x.ensure('events', now, now + 2 * 86400000)))
    expect(dayPartitionName('events', now)).toBe('events_20261121')
    await p.ensure('rollups_1m', now, now)
    await p.ensure('event_journal', now, now)
    expect(await dropDayPartitionsBefore(database, 'events', now + 86400000)).toEqual(['events_20261121'])
    expect(await database.withTenant(1, (tx) => tx.query('select current_user::text as u, millrace_tenant() as t'))).toMatchObject({ rows: [{ u: 'millrace_reader', t: 1 }] })
  })
})
