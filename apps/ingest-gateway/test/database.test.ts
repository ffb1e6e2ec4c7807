import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { silentLogger } from '@millrace/logger'
import { loadRollupDefinitions, registerRollupDefinitions } from '@millrace/rollups'
import { createTestDatabase } from '@millrace/testing'
import { CurrentEventCatalog } from '../src/events/current-event-catalog.js'
import { createFlushProduced } from '../src/ledger/flush-produced.js'
import { ProducedCounts } from '../src/ledger/produced-counts.js'

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
  async function activeFrom(): Promise<string[]> {
    const { rows } = await database.query<{ text: string }>(
      `select case when active_from = '-infinity' then 'always' when active_from between now() + interval '23 hours' and now() + interval '25 hours' then 'a day ahead' else active_from::text end as text
         from rollup_definitions order by id`,
    )
    return rows.map(({ text }) => text)
  }

  describe('rollup definitions', () => {
    it('are active for all time when no event was ever accepted', async () => {
      await register([byValue, byCarrier])
      await register([byCarrier, byValue])
      expect(await activeFrom()).toEqual(['always', 'always'])
      expect(await loadRollupDefinitions(database)).toEqual([byValue, byCarrier])
    })

    it.each([
      [
        'a gateway has acknowledged some',
        `insert into ledger_produced (stream, producer, tenant_id, accepted, rejected) values ('events', '${producerId}', 1, 1, 0)`,
      ],
      [
        'a consumer has read some',
        `insert into stream_partitions (group_name, stream, partition, position) values ('g', 'events', 0, '1-0')`,
      ],
    ])('are active only from a time that no accepted event can reach, once %s', async (_name, sql) => {
      await register([byValue])
      await database.query(sql)
      await register([byValue, byCarrier])
      expect(await activeFrom()).toEqual(['always', 'a day ahead'])
    })

    it('are registered once when several gateways start at the same time', async () => {
      await Promise.all([1, 2, 3, 4].map(() => register([byValue, byCarrier])))
      expect((await loadRollupDefinitions(database)).length).toBe(2)
    })

    it('whose active_until has passed are not loaded', async () => {
      await register([byValue, byCarrier])
      await database.query(`update rollup_definitions set active_until = now() where event = 'Flight'`)
      expect(await loadRollupDefinitions(database)).toEqual([byValue])
    })

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
