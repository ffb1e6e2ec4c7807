import { describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { createMetrics } from '@millrace/telemetry'
import { createTestDatabase, freePort, startTcpProxy, startTestPostgresServer, waitFor } from '@millrace/testing'
import { type DatabaseConfig, migrate, openDatabase } from './index.js'

/** A logger whose lines can be read, and a database to log about. */
async function openLogged(config: Partial<DatabaseConfig>) {
  const test = await createTestDatabase({ migrate })
  const lines: string[] = []
  const logger = createLogger({ service: 'test', samplePerSecond: 0, write: (text) => lines.push(text) })
  const metrics = createMetrics({ service: 'test', hasProcessMetrics: false })
  const database = openDatabase({ url: test.url, ...config }, { logger, metrics })
  const close = async () => {
    await database.close()
    logger.close()
    await test.release()
  }
  const log = () => {
    logger.flush()
    return lines.join('')
  }
  return { database, metrics, log, close }
}

describe('the database', () => {
  it('measures slow statements, round trips, connections and the time that callers wait for them', async () => {
    const { database, metrics, log, close } = await openLogged({ slowQueryMs: 20 })
    await database.query(`select pg_sleep(0.05)`)
    await waitFor(() => log().includes('slow query'), { deadlineMs: 20_000 })
    const exposed = await metrics.expose()
    expect(exposed).toMatch(/millrace_postgres_slow_queries_total.* 1/)
    expect(exposed).toMatch(/millrace_postgres_query_duration_seconds_count{.*operation="select",outcome="ok".*} 1/)
    expect(exposed).toMatch(/millrace_postgres_pool_connections{pool="primary",state="max".*} 10/)
    expect(exposed).toMatch(/millrace_postgres_pool_wait_seconds_count{.*pool="primary".*} 1/)
    await close()
  })

  it('ends a statement that exceeds its timeout, with a retryable error, and stays usable', async () => {
    const { database, close } = await openLogged({ statementTimeoutMs: 100, retryAttempts: 1 })
    await expect(database.query('select pg_sleep(10)')).rejects.toMatchObject({
      code: 'DATABASE_TIMEOUT',
      retryable: true,
      details: { sqlState: '57014' },
    })
    expect((await database.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    await close()
  })

  it('fails a statement that waits longer for a lock than the lock timeout', async () => {
    const { database, close } = await openLogged({ lockTimeoutMs: 50, retryAttempts: 1 })
    const holder = await database.connection()
    await holder.transaction(async (tx) => {
      await tx.query('lock table tenants in access exclusive mode')
      await expect(database.query('select * from tenants')).rejects.toMatchObject({ code: 'DATABASE_LOCK_TIMEOUT' })
    })
    await holder.close()
    await close()
  })

  it('opens while no server listens, and fails its statements with DATABASE_UNAVAILABLE', async () => {
    const database = openDatabase({ url: `postgres://postgres@127.0.0.1:${await freePort()}/x`, retryAttempts: 2 })
    await expect(database.query('select 1')).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      retryable: true,
      kind: 'unavailable',
    })
    await expect(database.connection()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    await database.close()
  })

  it('fails a caller that waits longer for a connection than the time limit', async () => {
    const { database, close } = await openLogged({ connectionLimit: 1, timeoutMs: 1500, retryAttempts: 1 })
    await database.transaction(async (tx) => {
      await tx.query('select 1')
      expect(database.pool()).toEqual({ used: 1, idle: 0, waiting: 0, max: 1 })
      await expect(database.query('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    })
    await close()
  })
})

describe('the database', () => {
  it('survives a crash of its server and works again after the restart', async () => {
    const server = await startTestPostgresServer()
    const database = openDatabase({ url: server.url, retryAttempts: 5 })
    const connection = await database.connection()
    await database.query('create table seen (id integer)')
    const busy = database.query('with s as materialized (select pg_sleep(30)) insert into seen select 1 from s')
    const hearing = connection.lost
    await waitFor(async () => database.pool().used === 1)
    await server.kill()
    await expect(busy).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(await hearing).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    expect(connection.isLost).toBe(true)
    await expect(connection.query('select 1')).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    await server.restart()
    await database.transaction((tx) => tx.query('insert into seen values (1)'))
    expect((await database.query('select * from seen')).rows).toEqual([{ id: 1 }])
    await connection.close()
    await database.close()
    await server.stop()
  })

  it('runs a transaction again as a whole when the server has ended its session', async () => {
    const test = await createTestDatabase()
    const database = openDatabase({ url: test.url })
    await database.query('create table seen (id integer)')
    let runs = 0
    await database.transaction(async (tx) => {
      runs++
      const { rows } = await tx.query<{ pid: number }>('select pg_backend_pid() as pid')
      if (runs === 1) await database.query('select pg_terminate_backend($1)', [rows[0]?.pid])
      await tx.query('insert into seen values (1)')
    })
    expect(runs).toBe(2)
    expect((await database.query('select * from seen')).rows).toHaveLength(1)
    await database.close()
    await test.release()
  })

  it('does not run a transaction again when the connection is lost in COMMIT, and says that its outcome is unknown', async () => {
    const test = await createTestDatabase()
    const database = openDatabase({ url: test.url })
    let runs = 0
    const committing = database.transaction(async (tx) => {
      runs++
      tx.atCommit({ text: 'select pg_terminate_backend(pg_backend_pid())' })
    })
    await expect(committing).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      details: { isOutcomeUnknown: true },
    })
    expect(runs).toBe(1)
    await database.close()
    await test.release()
  })

  it('stops waiting for a statement 5 s after it should have ended when its connection is dead although the server works', async () => {
    const server = await startTestPostgresServer()
    const proxy = await startTcpProxy(server.port)
    const database = openDatabase({ url: server.url, statementTimeoutMs: 100, retryAttempts: 1 })
    const broken = openDatabase({ url: proxy.through(server.url), statementTimeoutMs: 100, retryAttempts: 1 })
    const connection = await broken.connection({ statementTimeoutMs: 100 })
    await broken.query('select 1')
    await proxy.set('swallow-answers')
    const failures = [broken.query('select 1'), connection.transaction((tx) => tx.query('select 1'))]
    const failing = Promise.all(
      failures.map((failure) => expect(failure).rejects.toMatchObject({ code: 'DATABASE_TIMEOUT' })),
    )
    // These connections stay dead; new ones, by which the server is probed, are not.
    await waitFor(() => proxy.torn === 2)
    await proxy.set('pass')
    await failing
    await connection.lost
    expect((await database.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    expect((await broken.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    await broken.close()
    await database.close()
    await proxy.stop()
    await server.stop()
  })
})

describe('a dedicated connection', () => {
  it('receives notifications of the channel that it listens to', async () => {
    const test = await createTestDatabase()
    const database = openDatabase({ url: test.url })
    const connection = await database.connection()
    const heard: string[] = []
    await connection.listen('news', (payload) => heard.push(payload))
    await database.query(`select pg_notify('news', 'hello')`)
    await waitFor(() => heard.length === 1)
    expect(heard).toEqual(['hello'])
    await connection.close()
    await database.close()
    await test.release()
  })
})
