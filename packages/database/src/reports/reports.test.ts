import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase, waitFor } from '@millrace/testing'
import { type Database, openDatabase } from '../index.js'
import { readIndexBloat, readTableBloat } from '../statistics/bloat.js'
import { reportBloat } from './bloat.js'
import { reportCache } from './cache.js'
import { reportConnections } from './connections.js'
import { findRedundant, type IndexUse, readIndexUse, reportIndexes } from './indexes.js'
import { renderJson, renderText, type Section } from './render-report.js'
import { reportSlow } from './slow-statements.js'

describe('the reports for operators', () => {
  let test: TestDatabase
  let database: Database

  beforeAll(async () => {
    test = await createTestDatabase()
    database = openDatabase({ url: test.url, statementTimeoutMs: 0 })
    const connection = await database.connection({ statementTimeoutMs: 0 })
    const row = `n as id, n % 500 as customer, 'order ' || n as label, repeat('x', 100) as note`
    for (const statement of [
      `create table full_one as select ${row} from generate_series(1, 20000) n`,
      `create table bloated as select ${row} from generate_series(1, 20000) n`,
      'alter table full_one set (autovacuum_enabled = false)',
      'alter table bloated set (autovacuum_enabled = false)',
      'create index bloated_id on bloated (id)',
      'create index full_one_id on full_one (id)',
      'delete from bloated where id % 2 = 0',
      'vacuum (analyze) bloated',
      'vacuum (analyze) full_one',
      'create table split (id integer, day date) partition by range (day)',
      `create table split_1 partition of split for values from ('2026-11-20') to ('2026-11-21')`,
      `create table split_2 partition of split for values from ('2026-11-21') to ('2026-11-22')`,
      'create index split_id on split (id)',
      `insert into split select n, date '2026-11-20' + n % 2 from generate_series(1, 2000) n`,
      'vacuum (analyze) split',
    ])
      await connection.query(statement)
    await connection.close()
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  describe('the bloat report', () => {
    it('estimates half of a table as dead when every second row was deleted, and nothing of a full table', async () => {
      const tables = new Map((await readTableBloat(database)).map((one) => [one.table, one]))
      expect(tables.get('bloated')?.dead_share).toBeGreaterThan(0.4)
      expect(tables.get('bloated')?.dead_share).toBeLessThan(0.6)
      expect(tables.get('full_one')?.dead_share).toBeLessThan(0.1)
      expect(tables.get('bloated')?.last_vacuum).not.toBeNull()
    })

    it('estimates the same for the indexes of these tables', async () => {
      const indexes = new Map((await readIndexBloat(database)).map((one) => [one.index, one]))
      expect(indexes.get('bloated_id')?.dead_share).toBeGreaterThan(0.4)
      expect(indexes.get('full_one_id')?.dead_share).toBeLessThan(0.1)
    })

    it('adds the partitions of a table up', async () => {
      const split = (await readTableBloat(database)).filter(({ table }) => table.startsWith('split'))
      expect(split).toMatchObject([{ table: 'split', partitions: 2 }])
      expect((await readIndexBloat(database)).filter(({ index }) => index.startsWith('split'))).toHaveLength(1)
    })

    it('estimates about as much as an exact measurement finds', async () => {
      const [tables] = await reportBloat(database, true)
      const measured = tables?.rows.find(({ table }) => table === 'bloated')?.dead_share
      const estimated = (await readTableBloat(database)).find(({ table }) => table === 'bloated')?.dead_share ?? 0
      expect(Math.abs(Number(measured) - estimated)).toBeLessThan(0.1)
    })
  })

  describe('the index report', () => {
    const index = (name: string, keys: string[], fields: Partial<IndexUse> = {}): IndexUse => ({
      index: name,
      table: 't',
      method: 'btree',
      keys,
      condition: null,
      is_unique: false,
      bytes: 1,
      scans: 0,
      ...fields,
    })

    it.each<[string, IndexUse[], string[]]>([
      ['one whose columns another begins with', [index('a', ['x']), index('ab', ['x', 'y'])], ['a by ab']],
      ['one of two that are equal', [index('a', ['x']), index('b', ['x'])], ['b by a']],
      ['the one of two that is not unique', [index('a', ['x']), index('b', ['x'], { is_unique: true })], ['a by b']],
      ['none that begins elsewhere', [index('a', ['y']), index('ab', ['x', 'y'])], []],
      ['none with another condition', [index('a', ['x'], { condition: 'z' }), index('ab', ['x', 'y'])], []],
      ['none of another table', [index('a', ['x']), index('ab', ['x', 'y'], { table: 'u' })], []],
      ['none that keeps a promise', [index('a', ['x'], { is_unique: true }), index('ab', ['x', 'y'])], []],
      ['none that is no B-tree', [index('a', ['x'], { method: 'brin' }), index('ab', ['x', 'y'])], []],
    ])('calls redundant %s', (_title, indexes, expected) => {
      expect(findRedundant(indexes).map(({ redundant, by }) => `${redundant.index} by ${by.index}`)).toEqual(expected)
    })

    it('shows columns, direction and use of each index, in one line for all partitions', async () => {
      await database.query('create index full_one_pair on full_one (id, customer desc)')
      const indexes = await readIndexUse(database)
      expect(findRedundant(indexes).map(({ redundant, by }) => [redundant.index, by.index])).toEqual([
        ['full_one_id', 'full_one_pair'],
      ])
      expect(indexes.filter(({ index: name }) => name.startsWith('split'))).toMatchObject([
        { index: 'split_id', table: 'split', method: 'btree', is_unique: false },
      ])
      const [unused] = await reportIndexes(database)
      expect(unused?.rows.map((row) => row.index)).toContain('full_one_pair')
    })
  })

  describe('the report of slow statements', () => {
    it('lists the statements that took the most time, without values, and proposes a missing index', async () => {
      await database.query(
        `create table big as select n as id, n % 20000 as customer, n as seen, repeat('x', 300) as note from generate_series(1, 40000) n`,
      )
      await database.query('analyze big')
      let sections: Section[] = []
      const listed = () => sections[0]?.rows.map(({ statement }) => String(statement)) ?? []
      const wanted = 'select count(*) from big where note = $1 and extract($2 from now()) > $3'
      const areThere = async () => {
        await database.query('select note from big where customer = $1 and note <> $2 order by seen limit 5', [
          7,
          'secret',
        ])
        await database.query(`select count(*) from big where note = 'secret' and extract(epoch from now()) > 5`)
        sections = await reportSlow(database)
        return listed().includes(wanted) && (sections[1]?.rows.length ?? 0) > 0
      }
      if ((await reportSlow(database))[0]?.note?.includes('not loaded')) return
      // Whatever else the server's other users ran may push a statement out of its table.
      await waitFor(areThere, { what: 'both statements in the report' })
      expect(listed()).toContain(wanted)
      expect(sections[1]?.rows).toMatchObject([{ index: 'create index concurrently on big ("customer", "seen")' }])
      expect(Number(sections[1]?.rows[0]?.gain)).toBeGreaterThan(5)
      expect(renderText(sections)).not.toContain('secret')
    })
  })

  describe('the reports of memory and connections', () => {
    it('show the share of pages found in memory, and the connections by application', async () => {
      const [cache] = await reportCache(database)
      const [whole] = cache?.rows ?? []
      expect(whole).toMatchObject({ table: 'everything' })
      expect(Number(whole?.hits)).toBeGreaterThan(0)
      const other = await database.connection({ applicationName: 'somebody' })
      const [connections] = await reportConnections(database)
      expect(connections?.rows).toContainEqual(expect.objectContaining({ application: 'somebody', connections: 1 }))
      await other.close()
    })
  })

  describe('each of them', () => {
    const sections: Section[] = [
      {
        title: 'things',
        note: 'as they are',
        columns: { name: 'text', size: 'bytes', share: 'percent', seen: 'time' },
        rows: [
          { name: 'one', size: 1536, share: 0.5, seen: '2026-11-21T10:00:00.000Z' },
          { name: 'another', size: 12, share: null, seen: null },
        ],
      },
      { title: 'nothing', columns: {}, rows: [] },
    ]

    it('is printed as a table', () => {
      expect(renderText(sections)).toBe(
        [
          'things',
          '  as they are',
          '  name        size   share              seen',
          '  one      1.5 KiB  50.0 %  2026-11-21 10:00',
          '  another     12 B       -                 -',
          '',
          'nothing',
          '  none',
          '',
        ].join('\n'),
      )
    })

    it('is printed as JSON on request', () => {
      expect(JSON.parse(renderJson(sections))).toEqual({
        things: { note: 'as they are', rows: sections[0]?.rows },
        nothing: { rows: [] },
      })
    })

    it('is printed by the command, which prints its usage when an argument is wrong', async () => {
      const run = promisify(execFile)
      const script = fileURLToPath(new URL('../../dist/db-cli.js', import.meta.url))
      const env = { PATH: process.env.PATH, DATABASE_URL: test.url }
      const { stdout } = await run(process.execPath, [script, 'bloat', '--json'], { env })
      expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['tables', 'indexes'])
      await expect(run(process.execPath, [script, 'everything'], { env })).rejects.toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/^usage: npm run db/),
      })
    })
  })
})
