import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { loadRollupDefinitions, type RollupDefinition, registerRollupDefinitions } from '../src/index.js'

const byValue = { event: '*', dimensions: [], property: 'properties.value' }
const byCarrier = { event: 'Flight', dimensions: ['properties.carrier'], property: null }

describe('the table of rollup definitions', () => {
  let test: TestDatabase
  let database: Database
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })
  beforeEach(() =>
    database.query('truncate ledger_produced, stream_partitions, rollup_definitions restart identity cascade'),
  )

  const register = (definitions: readonly RollupDefinition[]) =>
    registerRollupDefinitions(database, { definitions, stream: 'events', aheadMaxMs: 86_400_000 })
  async function activeFrom(): Promise<string[]> {
    const { rows } = await database.query<{ text: string }>(
      `select case when active_from = '-infinity' then 'always'
         when active_from between now() + interval '23 hours' and now() + interval '25 hours' then 'a day ahead'
         else active_from::text end as text from rollup_definitions order by id`,
    )
    return rows.map(({ text }) => text)
  }

  it('registerRollupDefinitions activates definitions for all time when no event was ever accepted', async () => {
    await register([byValue, byCarrier])
    await register([byCarrier, byValue])
    expect(await activeFrom()).toEqual(['always', 'always'])
    expect(await loadRollupDefinitions(database)).toEqual([byValue, byCarrier])
  })

  it.each([
    [
      'a gateway has acknowledged events',
      `insert into ledger_produced (stream, producer, tenant_id, accepted, rejected)
       values ('events', '01a1fd3b-4742-7bbc-bfa8-c4f7ba1f52b1', 1, 1, 0)`,
    ],
    [
      'a consumer has read events',
      `insert into stream_partitions (group_name, stream, partition, position) values ('g', 'events', 0, '1-0')`,
    ],
  ])(
    'registerRollupDefinitions activates new definitions only after every accepted event when %s',
    async (_name, sql) => {
      await register([byValue])
      await database.query(sql)
      await register([byValue, byCarrier])
      expect(await activeFrom()).toEqual(['always', 'a day ahead'])
    },
  )

  it('registerRollupDefinitions registers a definition once when several gateways start at the same time', async () => {
    await Promise.all([1, 2, 3, 4].map(() => register([byValue, byCarrier])))
    expect(await loadRollupDefinitions(database)).toHaveLength(2)
  })

  it('loadRollupDefinitions leaves out definitions whose active_until has passed', async () => {
    await register([byValue, byCarrier])
    await database.query(`update rollup_definitions set active_until = now() where event = 'Flight'`)
    expect(await loadRollupDefinitions(database)).toEqual([byValue])
  })
})
