import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { waitFor } from '@millrace/testing'
import { storeEvents } from './generated-data.js'
import { createTenant, queryOf, type ServiceUnderTest, startServiceUnderTest } from './service-under-test.js'

const START = Date.UTC(2026, 10, 20)

describe('a cancelled call', () => {
  let service: ServiceUnderTest
  let tenant: number
  beforeAll(async () => {
    service = await startServiceUnderTest()
    tenant = await createTenant(service.database, 'acme')
    const event = { tenantId: tenant, event: 'E', userId: 'u', timestampMs: START, properties: null }
    await storeEvents(service.database, [{ ...event, partition: 0, position: 0 }])
  })
  afterAll(() => service.close())

  it('has its statement cancelled at the server', async () => {
    const blocker = await service.database.connection()
    const waiting = async () => {
      const { rows } = await service.database.query(
        `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      )
      return rows.length
    }
    try {
      await blocker.query('begin')
      await blocker.query('lock table events in access exclusive mode')
      const caller = new AbortController()
      const raw = { from: new Date(START), to: new Date(START + 60_000), groupBy: ['properties.x'] }
      const call = service.calls.runQuery(queryOf({ ...raw, kind: 'breakdown' }), {
        tenant: String(tenant),
        signal: caller.signal,
      })
      call.catch(() => undefined)
      await waitFor(async () => (await waiting()) === 1, { deadlineMs: 30_000 })
      caller.abort()
      await expect(call).rejects.toMatchObject({ code: 'CALL_CANCELLED' })
      // The lock is held still: only the end of the statement can end the waiting.
      await waitFor(async () => (await waiting()) === 0, { deadlineMs: 30_000 })
    } finally {
      await blocker.close()
    }
  })
})
