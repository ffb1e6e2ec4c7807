import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { loadRollupDefinitions, registerRollupDefinitions } from '@millrace/rollups'
import { createFlushProduced, ProducedCounts } from '@millrace/streams'
import { createTestDatabase } from '@millrace/testing'
import { CurrentEventCatalog } from '../src/events/current-event-catalog.js'

const producerId = '01a1fd3b-4742-7bbc-bfa8-c4f7ba1f52b1'
const byValue = { event: '*', dimensions: [], property: 'properties.value' }
const byCarrier = { event: 'Flight', dimensions: ['properties.carrier'], property: null }

describe('the tables of the gateway', () => {
  let database: Database
  let release: () => Promise<void>

  beforeAll(async () => {
    const test = await createTestDatabase({ migrate })
    release = test.release
    database = openDatabase({ url: test.url, connectionLimit: 2, retryAttempts: 1 })
  })
  afterAll(async () => {
    await database?.close()
    await release?.()
  })
  beforeEach(() =>
    database.query('truncate ledger_produced, stream_partitions, rollup_definitions restart identity cascade'),
  )

  const register = (definitions: (typeof byValue | typeof byCarrier)[]) =>
    registerRollupDefinitions(database, { definitions, stream: 'events', aheadMaxMs: 86_400_000 })

  describe('rollup definitions', () => {
    it('are replaced while the gateway runs, and kept when they cannot be read', async () => {
      await register([byValue])
      let isDown = false
      const load = async () => (isDown ? Promise.reject(new Error('down')) : loadRollupDefinitions(database))
      const current = new CurrentEventCatalog(await load(), { load, logger: silentLogger })
      const first = current.get()
      await current.refresh()
      expect(current.get()).toBe(first)
      await register([byCarrier])
      await current.refresh()
      const second = current.get()
      expect(second).not.toBe(first)
      isDown = true
      await expect(current.refresh()).rejects.toThrow('down')
      expect(current.get()).toBe(second)
    })
  })

  describe('the gateway’s side of the ledger', () => {
    const read = async () =>
      (await database.query('select tenant_id, accepted, rejected, spooled from ledger_produced order by tenant_id'))
        .rows

    it('is written as absolute counts, only for tenants whose counts changed', async () => {
      const counts = new ProducedCounts()
      let isSpoolEmpty = false
      const flush = createFlushProduced(
        { stream: 'events', producerId, counts, isSpoolEmpty: () => isSpoolEmpty },
        { database },
      )
      counts.add(1, { accepted: 10, rejected: 1, spooled: 4 })
      counts.add(2, { accepted: 5, rejected: 0, spooled: 0 })
      await flush()
      counts.add(1, { accepted: 2, rejected: 1, spooled: 0 })
      await flush()
      expect(await read()).toEqual([
        { tenant_id: 1, accepted: 12n, rejected: 2n, spooled: 4n },
        { tenant_id: 2, accepted: 5n, rejected: 0n, spooled: 0n },
      ])
      isSpoolEmpty = true
      await flush()
      expect(await read()).toContainEqual({ tenant_id: 1, accepted: 12n, rejected: 2n, spooled: 0n })
      expect(counts.takeChanged()).toEqual([])
    })

    it('keeps its counts while the database is down and writes them later', async () => {
      const counts = new ProducedCounts()
      let isDown = true
      const query: Database['query'] = (...args) =>
        isDown ? Promise.reject(new Error('down')) : database.query(...args)
      const flush = createFlushProduced(
        { stream: 'events', producerId, counts, isSpoolEmpty: () => true },
        { database: { query } },
      )
      counts.add(1, { accepted: 1, rejected: 0, spooled: 0 })
      await expect(flush()).rejects.toThrow('down')
      counts.add(2, { accepted: 1, rejected: 0, spooled: 0 })
      isDown = false
      await flush()
      expect((await read()).length).toBe(2)
    })
  })
})
