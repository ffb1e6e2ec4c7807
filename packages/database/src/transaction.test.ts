import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { type Connection, type CopiedBytes, type Database, migrate, openDatabase } from './index.js'

/** Tuples of (int4, text) in COPY's binary format. */
function tuples(...items: readonly (readonly [number, string])[]): Buffer {
  return Buffer.concat(
    items.map(([id, name]) => {
      const tuple = Buffer.alloc(14 + name.length)
      tuple.writeInt16BE(2, 0)
      tuple.writeInt32BE(4, 2)
      tuple.writeInt32BE(id, 6)
      tuple.writeInt32BE(name.length, 10)
      tuple.write(name, 14)
      return tuple
    }),
  )
}

const target = { table: 'item', columns: ['id', 'name'] }

describe('a transaction', () => {
  let test: TestDatabase
  let database: Database
  let connection: Connection
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    await database.query('create table item (id integer primary key, name text)')
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })
  beforeEach(async () => {
    await database.query('truncate item')
    connection = await database.connection()
  })
  afterEach(() => connection.close())

  const ids = async () =>
    (await database.query<{ id: number }>('select id from item order by id')).rows.map((row) => row.id)

  it('copies all tuples, wherever the chunks are cut', async () => {
    const bytes = tuples([1, 'one'], [2, 'x'.repeat(300_000)], [3, ''])
    const chunks = [bytes.subarray(0, 7), bytes.subarray(7, 8), bytes.subarray(8)]
    expect(await connection.transaction((tx) => tx.copyBinary(target, chunks))).toBe(3)
    expect(await ids()).toEqual([1, 2, 3])
    expect(await connection.transaction((tx) => tx.copyBinary(target, []))).toBe(0)
  })

  it('returns the bytes of COPY … TO STDOUT as rows, in a pipeline with statements, and an error of the server as for any statement', async () => {
    await connection.transaction((tx) => tx.copyBinary(target, [tuples([1, 'one'], [2, 'x'.repeat(300_000)])]))
    const copy = { text: 'copy (select id, name from item order by id) to stdout (format binary)' }
    const [before, copied, after] = await connection.transaction((tx) =>
      tx.pipeline([{ text: 'select 1 as one' }, copy, { text: 'select 2 as two' }]),
    )
    expect([before?.rows, after?.rows]).toEqual([[{ one: 1 }], [{ two: 2 }]])
    const rows = (copied?.rows ?? []) as unknown as readonly CopiedBytes[]
    const bytes = Buffer.concat(rows.map(({ bytes }) => bytes))
    expect(bytes.subarray(19, -2).equals(tuples([1, 'one'], [2, 'x'.repeat(300_000)]))).toBe(true)
    expect(copied?.rowCount).toBe(2)
    await expect(
      connection.query({ text: 'copy (select 1 / (id - 2) from item order by id) to stdout (format binary)' }),
    ).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR' })
    expect(await ids()).toEqual([1, 2])
  })

  it('stores nothing of a COPY with a refused row, names the reason without the value, and leaves the connection usable', async () => {
    await expect(
      connection.transaction((tx) => tx.copyBinary(target, [tuples([1, 'secret'], [1, 'secret'])])),
    ).rejects.toMatchObject({
      code: 'DATABASE_DATA_ERROR',
      retryable: false,
      details: { sqlState: '23505', constraint: 'item_pkey' },
      message: expect.not.stringContaining('secret'),
    })
    expect(await ids()).toEqual([])
    expect(await connection.transaction((tx) => tx.copyBinary(target, [tuples([1, 'a'])]))).toBe(1)
  })

  it('fails when the copied bytes are no tuples', async () => {
    await expect(
      connection.transaction((tx) => tx.copyBinary(target, [tuples([1, 'a']).subarray(0, 9)])),
    ).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR' })
    await expect(
      connection.transaction((tx) => tx.copyBinary({ table: 'nowhere', columns: ['id'] }, [tuples([1, 'a'])])),
    ).rejects.toMatchObject({
      code: 'DATABASE_STATEMENT_ERROR',
      details: { sqlState: '42P01' },
    })
    expect(await ids()).toEqual([])
  })

  it('runs statements and COPYs of one pipeline in order, and prepares a named statement once for each connection', async () => {
    const count = { text: 'select count(*) as n from item where id > $1', values: [0], name: 'count_items' }
    for (let round = 0; round < 3; round++) {
      const results = await connection.transaction((tx) =>
        tx.pipeline([
          count,
          { copy: target, chunks: [tuples([round + 1, 'a'])] },
          count,
          { text: 'update item set name = $1', values: ['b'] },
        ]),
      )
      expect(results.map(({ command, rowCount, rows }) => [command, rowCount, rows[0]?.n])).toEqual([
        ['SELECT', 1, BigInt(round)],
        ['COPY', 1, undefined],
        ['SELECT', 1, BigInt(round + 1)],
        ['UPDATE', round + 1, undefined],
      ])
    }
    const { rows } = await connection.query(
      `select count(*) as n from pg_prepared_statements where name = 'count_items'`,
    )
    expect(rows).toEqual([{ n: 1n }])
  })

  it('fails a pipeline at its first error, runs nothing after it, and leaves the connection usable', async () => {
    const failing = connection.transaction((tx) =>
      tx.pipeline([
        { text: 'insert into item values (1)' },
        { text: 'select 1/0', name: 'never' },
        { copy: target, chunks: [tuples([2, 'x'.repeat(500_000)])] },
        { text: 'select 2', name: 'later' },
      ]),
    )
    await expect(failing).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR', details: { sqlState: '22012' } })
    expect(await ids()).toEqual([])
    expect((await connection.query<{ n: number }>({ text: 'select 2 as n', name: 'later2' })).rows).toEqual([{ n: 2 }])
    await expect(connection.query({ text: 'select 3 as n', name: 'later' })).resolves.toMatchObject({
      rows: [{ n: 3 }],
    })
  })

  it('refuses a value that cannot be sent, before any statement is sent', async () => {
    const circular: Record<string, unknown> = {}
    circular.self = circular
    await expect(
      connection.transaction((tx) =>
        tx.pipeline([{ text: 'insert into item values (1)' }, { text: 'select $1::jsonb', values: [circular] }]),
      ),
    ).rejects.toThrow()
    expect(await ids()).toEqual([])
    expect(connection.isLost).toBe(false)
  })

  it('can commit in the round trip of its last statements when it only reads, and refuses any later statement', async () => {
    await database.query(`insert into item values (1, 'one')`)
    const read = { isolation: 'repeatable read', readOnly: true } as const
    const found = await connection.transaction(async (tx) => {
      const [one, two] = await tx.finish([{ text: 'select id from item' }, { text: 'select 2 as id' }])
      await expect(tx.query('select 3')).rejects.toMatchObject({ code: 'DATABASE_STATEMENT_ERROR' })
      return [...(one?.rows ?? []), ...(two?.rows ?? [])]
    }, read)
    expect(found).toEqual([{ id: 1 }, { id: 2 }])
    await expect(connection.transaction((tx) => tx.finish([{ text: 'select 1 / 0' }]), read)).rejects.toMatchObject({
      details: { sqlState: '22012' },
    })
    // Outside of any transaction again, after either.
    await expect(connection.transaction((tx) => tx.finish([]))).rejects.toThrow('only for read-only transactions')
    await connection.transaction((tx) => tx.query(`insert into item values (2, 'two')`))
    expect(await ids()).toEqual([1, 2])
  })

  it('rolls back to a savepoint, also inside another one, and keeps what was done before', async () => {
    await connection.transaction(async (tx) => {
      await tx.query('insert into item values (1)')
      await tx.savepoint(async () => {
        await tx.query('insert into item values (2)')
        const inner = tx.savepoint(async () => {
          await tx.query('insert into item values (3)')
          await tx.query('insert into item values (1)')
        })
        await expect(inner).rejects.toMatchObject({ code: 'DATABASE_DATA_ERROR' })
        await tx.query('insert into item values (4)')
      })
      const unsent = tx.savepoint(() => Promise.reject(new Error('before any statement')))
      await expect(unsent).rejects.toThrow('before any statement')
      await tx.query('insert into item values (5)')
    })
    expect(await ids()).toEqual([1, 2, 4, 5])
  })

  it('does not commit after a failed statement that no savepoint has undone', async () => {
    const swallowing = connection.transaction(async (tx) => {
      await tx.query('insert into item values (1)')
      await tx.query('select 1/0').catch(() => undefined)
    })
    await expect(swallowing).rejects.toMatchObject({ details: { sqlState: '22012' } })
    expect(await ids()).toEqual([])
  })

  it('runs deferred statements with COMMIT, and a fence among them undoes the whole transaction', async () => {
    await connection.transaction(async (tx) => {
      tx.atCommit({ text: 'select millrace_fence((select count(*) from item), 1)' })
      await tx.query('insert into item values (1)')
    })
    const fenced = connection.transaction(async (tx) => {
      await tx.query('insert into item values (2)')
      tx.atCommit({
        text: 'with moved as (update item set name = $1 where id = $2 returning 1) select millrace_fence((select count(*) from moved), 1)',
        values: ['x', 99],
      })
    })
    await expect(fenced).rejects.toMatchObject({ code: 'DATABASE_FENCED', retryable: false })
    expect(await ids()).toEqual([1])
  })

  it('returns the value of a function that runs no statement', async () => {
    expect(await database.transaction(async () => 'value')).toBe('value')
  })

  it('rolls back when its function throws, and throws the same error', async () => {
    const own = new Error('mine')
    const failing = database.transaction(async (tx) => {
      await tx.query('insert into item values (1)')
      throw own
    })
    await expect(failing).rejects.toBe(own)
    expect(await ids()).toEqual([])
  })

  it('is refused on a connection that has an open one', async () => {
    await connection.transaction(async () => {
      await expect(connection.transaction(async () => undefined)).rejects.toMatchObject({
        code: 'DATABASE_STATEMENT_ERROR',
      })
    })
  })

  it('runs its function again after a serialization conflict', async () => {
    await database.query(`insert into item values (1, 'a')`)
    let runs = 0
    await database.transaction(
      async (tx) => {
        runs++
        await tx.query('select * from item')
        if (runs === 1) await database.query(`update item set name = 'other' where id = 1`)
        await tx.query(`update item set name = 'mine' where id = 1`)
      },
      { isolation: 'serializable' },
    )
    expect(runs).toBe(2)
    expect((await database.query('select name from item')).rows).toEqual([{ name: 'mine' }])
  })

  it('returns int8 as bigint, date as text and timestamptz as Date, and accepts bigint, Buffer and null', async () => {
    const { rows } = await database.query(
      `select $1::int8 as big, date '2026-11-21' as day, timestamptz '2026-11-21T01:02:03.004Z' as at, $2::bytea as bytes, $3::text as nothing, '{1,null}'::int8[] as list`,
      [2n ** 62n, Buffer.from([0, 255]), null],
    )
    expect(rows).toEqual([
      {
        big: 2n ** 62n,
        day: '2026-11-21',
        at: new Date('2026-11-21T01:02:03.004Z'),
        bytes: Buffer.from([0, 255]),
        nothing: null,
        list: [1n, null],
      },
    ])
  })
})
