import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { startTcpProxy, startTestPostgresServer, waitFor, within } from '@millrace/testing'
import { type Database, openDatabase } from './open-database.js'

type Server = Awaited<ReturnType<typeof startTestPostgresServer>>

/** Far above the 4.5 s in which a server is found not to answer, and far below the 35 s after which a statement is given up. */
const SOON_MS = 15_000
const unavailable = expect.objectContaining({ code: 'DATABASE_UNAVAILABLE' })

describe('a PostgreSQL server that does not answer', () => {
  let server: Server
  beforeAll(async () => {
    server = await startTestPostgresServer()
  })
  afterAll(async () => {
    await server.resume()
    await server.stop()
  })

  async function withDatabase(url: string, use: (database: Database) => Promise<void>): Promise<void> {
    const database = openDatabase({ url })
    try {
      await database.query('select 1')
      await use(database)
    } finally {
      await database.close()
    }
  }

  it('fails statements of the pool, transactions and dedicated connections within seconds when it is frozen, and serves them again once it goes on', () =>
    withDatabase(server.url, async (database) => {
      const connection = await database.connection()
      await server.pause()
      const failures = [
        database.query('select 1'),
        database.withTenant(1, (tx) => tx.query('select 1')),
        connection.transaction((tx) => tx.query('select 1')),
      ]
      await within(SOON_MS, Promise.all(failures.map((failure) => expect(failure).rejects.toEqual(unavailable))))
      await within(SOON_MS, connection.lost)
      await within(SOON_MS, expect(database.query('insert into nowhere values (1)')).rejects.toEqual(unavailable))
      await server.resume()
      await waitFor(async () => (await database.query('select 1 as n')).rowCount === 1)
    }))

  it('does not hold up the closing of the database when it is frozen', () =>
    withDatabase(server.url, async (database) => {
      await server.pause()
      const failing = expect(database.query('select 1')).rejects.toEqual(unavailable)
      await within(SOON_MS, database.close(100))
      await within(SOON_MS, failing)
      await server.resume()
    }).catch((error: Error) => {
      // The pool is closed for the second time at the end.
      if (!/end on pool more than once/.test(error.message)) throw error
    }))

  it.each(['swallow-requests', 'swallow-answers'] as const)(
    'fails statements within seconds behind a network with the fault %s, and serves them again soon after the fault ends',
    async (mode) => {
      const proxy = await startTcpProxy(server.port)
      await withDatabase(proxy.through(server.url), async (database) => {
        await proxy.set(mode)
        await within(SOON_MS, expect(database.query('select 1')).rejects.toEqual(unavailable))
        await proxy.set('pass')
        await waitFor(async () => (await database.query('select 1 as n')).rowCount === 1)
      })
      await proxy.stop()
    },
  )

  it('goes on with a statement that takes longer than the watch waits, as long as the server answers', () =>
    withDatabase(server.url, async (database) => {
      expect((await database.query('select 1 as n from pg_sleep(6)')).rows).toEqual([{ n: 1 }])
    }))

  it('goes on with slow statements when every chunk on the network takes 1 s', async () => {
    const proxy = await startTcpProxy(server.port, { delayMs: 1_000 })
    await withDatabase(proxy.through(server.url), async (database) => {
      await proxy.set('slow')
      for (let i = 0; i < 2; i++) expect((await database.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      await proxy.set('pass')
    })
    await proxy.stop()
  })
})
