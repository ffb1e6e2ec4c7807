import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { coreErrors } from '@millrace/contracts'
import { createTestDatabase, type TestDatabase, waitFor } from '@millrace/testing'
import { type Database, migrate, openDatabase, type Transaction } from './index.js'

describe('a transaction that was given an abort signal', () => {
  let test: TestDatabase
  let database: Database
  let observer: Database
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url, connectionLimit: 1 })
    observer = openDatabase({ url: test.url, connectionLimit: 1 })
  })
  afterAll(async () => {
    await database.close()
    await observer.close()
    await test.release()
  })

  const sleepers = async () => {
    const { rows } = await observer.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database() and state = 'active' and query like 'select pg_sleep%'`,
    )
    return rows.length
  }
  const sleep = (tx: Transaction) => tx.query('select pg_sleep(600)')

  it('makes the server end the running statement when the signal aborts, and fails with the reason of the signal', async () => {
    const controller = new AbortController()
    const running = database.withTenant(1, sleep, { signal: controller.signal })
    running.catch(() => undefined)
    await waitFor(async () => (await sleepers()) === 1, { deadlineMs: 30_000 })
    controller.abort(coreErrors.CALL_CANCELLED())
    // Without the cancel request the statement timeout of 30 s would end it.
    await waitFor(async () => (await sleepers()) === 0, { deadlineMs: 10_000 })
    await expect(running).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
    expect((await database.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  })

  it('sends no further statement after the signal has aborted', async () => {
    const controller = new AbortController()
    let sent = 0
    const running = database.transaction(
      async (tx) => {
        await tx.query('select 1')
        sent++
        controller.abort(coreErrors.CALL_CANCELLED())
        await tx.query('select 2')
        sent++
      },
      { signal: controller.signal },
    )
    await expect(running).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
    expect(sent).toBe(1)
    await expect(database.transaction(sleep, { signal: controller.signal })).rejects.toMatchObject({
      code: 'CALL_CANCELLED',
    })
  })

  it('keeps its connection when the signal aborts after the transaction has ended', async () => {
    const controller = new AbortController()
    const read = () => database.transaction((tx) => tx.query('select 1 as one'), { signal: controller.signal })
    expect((await read()).rows).toEqual([{ one: 1 }])
    const { rows: before } = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
    controller.abort()
    const { rows: after } = await database.query<{ pid: number }>('select pg_backend_pid() as pid')
    expect(after).toEqual(before)
  })
})
