import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { is } from 'drizzle-orm'
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core'
import { type Database, migrate, openDatabase } from '../index.js'
import * as tables from './tables.js'

interface Column {
  table: string
  column: string
  type: string
  isRequired: boolean
  hasDefault: boolean
}

function declaredColumns(): Column[] {
  return Object.values(tables)
    .filter((table) => is(table, PgTable))
    .map((table) => getTableConfig(table))
    .flatMap(({ name, columns }) =>
      columns.map((column) => ({
        table: name,
        column: column.name,
        type: column.getSQLType().replace('timestamp with time zone', 'timestamptz'),
        isRequired: column.notNull,
        hasDefault: column.hasDefault || column.generatedIdentity !== undefined,
      })),
    )
}

function declaredPrimaryKeys(): [string, string[]][] {
  return Object.values(tables)
    .map((table) => getTableConfig(table))
    .flatMap(({ name, columns, primaryKeys }): [string, string[]][] => {
      const key = primaryKeys[0]?.columns ?? columns.filter((column) => column.primary)
      return key.length > 0 ? [[name, key.map((column) => column.name)]] : []
    })
}

describe('the drizzle schema', () => {
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

  it('has every table and column of the migrated database, with its type, and no other', async () => {
    const { rows } = await database.query<Column>(`
      select c.relname as table, a.attname as column, a.attnotnull as "isRequired",
             a.atthasdef or a.attidentity <> '' as "hasDefault",
             replace(format_type(a.atttypid, a.atttypmod), 'timestamp with time zone', 'timestamptz') as type
        from pg_attribute a join pg_class c on c.oid = a.attrelid
       where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
         and a.attnum > 0 and not a.attisdropped and c.relname <> 'schema_migrations'`)
    const inOrder = (columns: Column[]) =>
      columns.toSorted((a, b) => `${a.table}.${a.column}`.localeCompare(`${b.table}.${b.column}`))
    expect(inOrder(declaredColumns())).toEqual(inOrder(rows))
  })

  it('has the primary keys of the migrated database', async () => {
    const { rows } = await database.query<{ table: string; columns: string[] }>(`
      select c.relname as table, array_agg(a.attname::text order by k.position) as columns
        from pg_constraint p join pg_class c on c.oid = p.conrelid
        cross join lateral unnest(p.conkey) with ordinality as k (attnum, position)
        join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum
       where p.contype = 'p' and c.relnamespace = 'public'::regnamespace and not c.relispartition and c.relname <> 'schema_migrations'
       group by c.relname`)
    expect(Object.fromEntries(declaredPrimaryKeys())).toEqual(
      Object.fromEntries(rows.map((row) => [row.table, row.columns])),
    )
  })
})
