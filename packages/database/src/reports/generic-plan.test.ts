import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import type { Connection } from '../connection.js'
import { type Database, openDatabase } from '../index.js'
import { readGenericPlan } from './generic-plan.js'

describe('the plan of a statement whose values are not known', () => {
  let test: TestDatabase
  let database: Database
  let connection: Connection
  beforeAll(async () => {
    test = await createTestDatabase()
    database = openDatabase({ url: test.url })
    await database.query('create table seen (id integer, at timestamptz, note text)')
    await database.query('create table days (day date) partition by range (day)')
    await database.query(`create table days_1 partition of days for values from ('2026-11-20') to ('2026-11-21')`)
    connection = await database.connection()
  })
  afterAll(async () => {
    await connection.close()
    await database.close()
    await test.release()
  })

  it.each([
    ['without parameters', 'select * from seen'],
    ['with parameters', 'select * from seen where id = $1 and note = any ($2)'],
    [
      'where a literal had its type in front',
      'select * from seen where at > now() - interval $1 and at < timestamptz $2',
    ],
    ['where a literal was a keyword', 'select extract($1 from at) * $2 from seen where id = $3'],
    ['that writes', 'update seen set note = $1 where id = $2'],
  ])('can be read %s', async (_title, query) => {
    const plan = await readGenericPlan(connection, query)
    expect(JSON.stringify(plan)).toContain('"relation":"seen"')
  })

  it('contains every partition', async () => {
    const plan = await readGenericPlan(connection, 'select * from days where day >= $1 and day < $2')
    expect(JSON.stringify(plan)).toContain('"relation":"days_1"')
  })

  it.each([
    ['that cannot be planned', 'create table other ()'],
    ['whose text was cut', 'select * from seen where id = $1 and not'],
    ['of a table that is gone', 'select * from gone where id = $1'],
  ])('cannot be read %s, and the plan of the next statement can', async (_title, query) => {
    expect(await readGenericPlan(connection, query)).toBeUndefined()
    expect(await readGenericPlan(connection, 'select * from seen')).toBeDefined()
  })
})
