import { copyFile, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createLogger } from '@millrace/logger'
import { createTestDatabase, startTestPostgresServer, type TestDatabase } from '@millrace/testing'
import { migrate, openDatabase } from './index.js'

const own = fileURLToPath(new URL('../migrations', import.meta.url))

describe('the migrator', () => {
  let test: TestDatabase
  let directory: string
  beforeEach(async () => {
    test = await createTestDatabase()
    directory = await mkdtemp(join(tmpdir(), 'migrations-'))
  })
  afterEach(async () => {
    await test.release()
    await rm(directory, { recursive: true })
  })

  const write = (name: string, sql: string) => writeFile(join(directory, name), sql)

  it('applies each migration once when eight migrators start together', async () => {
    const names = (await readdir(own)).filter((name) => name.endsWith('.sql')).sort()
    const results = await Promise.all(Array.from({ length: 8 }, () => migrate(test.url)))
    expect(results.filter(({ applied }) => applied.length > 0)).toEqual([{ applied: names, alreadyApplied: 0 }])
    expect(await migrate(test.url)).toEqual({ applied: [], alreadyApplied: names.length })
  })

  it('refuses a migration that was changed after it ran, before anything else runs', async () => {
    await write('0000_a.sql', 'create table a (id integer)')
    await migrate(test.url, { directory })
    await write('0000_a.sql', 'create table a (id bigint)')
    await write('0001_b.sql', 'create table b (id integer)')
    await expect(migrate(test.url, { directory })).rejects.toMatchObject({
      code: 'DATABASE_MIGRATION_REFUSED',
      message: '0000_a.sql has changed since it was applied',
    })
    const database = openDatabase({ url: test.url })
    expect((await database.query(`select to_regclass('b') as b`)).rows).toEqual([{ b: null }])
    await database.close()
  })

  it.each([
    ['with a gap', { '0000_a.sql': 'select 1', '0002_c.sql': 'select 1' }, /out of order/],
    ['with one number twice', { '0000_a.sql': 'select 1', '0000_b.sql': 'select 1' }, /out of order/],
  ])('refuses migrations that are numbered %s', async (_what, files, message) => {
    for (const [name, sql] of Object.entries(files)) await write(name, sql)
    await expect(migrate(test.url, { directory })).rejects.toThrow(message)
  })

  it('refuses a database that is ahead of this release, or that has other migrations', async () => {
    await write('0000_a.sql', 'select 1')
    await write('0001_b.sql', 'select 1')
    await migrate(test.url, { directory })
    await rm(join(directory, '0001_b.sql'))
    await expect(migrate(test.url, { directory })).rejects.toThrow(
      'the database has 0001_b.sql where this release has nothing',
    )
    await write('0001_other.sql', 'select 1')
    await expect(migrate(test.url, { directory })).rejects.toThrow(
      'the database has 0001_b.sql where this release has 0001_other.sql',
    )
  })

  it('undoes a failed migration, keeps the ones before it, and continues with the failed one in the next run', async () => {
    await write('0000_a.sql', 'create table a (id integer)')
    await write('0001_b.sql', 'create table b (id integer); select 1/0')
    await expect(migrate(test.url, { directory })).rejects.toMatchObject({
      code: 'DATABASE_MIGRATION_REFUSED',
      message: expect.stringContaining('0001_b.sql failed: division by zero'),
    })
    await write('0001_b.sql', 'create table b (id integer)')
    expect(await migrate(test.url, { directory })).toEqual({ applied: ['0001_b.sql'], alreadyApplied: 1 })
  })

  it('accepts a migration whose line ends have changed', async () => {
    await write('0000_a.sql', 'select 1;\nselect 2')
    await migrate(test.url, { directory })
    await write('0000_a.sql', 'select 1;\r\nselect 2')
    expect(await migrate(test.url, { directory })).toEqual({ applied: [], alreadyApplied: 1 })
  })

  it('warns when it may not create the reader role, migrates all the same, and sets the role up in a later run', async () => {
    const server = await startTestPostgresServer()
    const admin = openDatabase({ url: server.url })
    await admin.query('create role app login nosuperuser nocreaterole')
    await admin.query('create database app owner app')
    const url = server.url.replace('postgres@', 'app@').replace(/\/\w+$/, '/app')
    for (const name of await readdir(own)) await copyFile(join(own, name), join(directory, name))
    const lines: string[] = []
    const logger = createLogger({ service: 'test', write: (text) => lines.push(text) })
    await migrate(url, { logger, directory })
    logger.flush()
    expect(lines.join('')).toContain('tenant isolation in the database is off')

    const database = openDatabase({ url }, { logger })
    await database.query(`insert into tenants (name) values ('acme')`)
    expect(
      (await database.withTenant(1, (tx) => tx.query<{ role: string }>('select current_user::text as role'))).rows,
    ).toEqual([{ role: 'app' }])

    await admin.query('create role millrace_reader nologin')
    await admin.query('grant millrace_reader to app')
    await migrate(url, { directory })
    const again = openDatabase({ url })
    expect(
      (
        await again.withTenant(1, (tx) =>
          tx.query<{ role: string }>(
            'select current_user::text as role from rollup_definitions right join (select) x on true',
          ),
        )
      ).rows,
    ).toEqual([{ role: 'millrace_reader' }])
    await again.close()
    await database.close()
    await admin.close()
    logger.close()
    await server.stop()
  })
})
