import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createLogger, runWithContext } from '@millrace/logger'
import { noopTracer, type SpanAttributes, type Tracer } from '@millrace/telemetry'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { and, apiKeys, type Database, desc, drizzleOn, eq, migrate, openDatabase, sql, tenants } from './index.js'

describe('a drizzle query', () => {
  let test: TestDatabase
  let database: Database
  const spans: SpanAttributes[] = []
  const lines: string[] = []
  const logger = createLogger({ service: 'test', write: (text) => lines.push(text) })
  const tracer: Tracer = {
    ...noopTracer,
    isOn: true,
    current: () => ({ traceId: '1'.repeat(32), spanId: '1'.repeat(16) }),
    withSpan: (name, attributes, fn) => {
      spans.push(attributes)
      return noopTracer.withSpan(name, attributes, fn)
    },
  }
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase(
      { url: test.url, connectionLimit: 1, slowQueryMs: 50, environment: 'test', explainSlowQueries: false },
      { logger, tracer },
    )
  })
  afterAll(async () => {
    await database.close()
    await test.release()
    logger.close()
  })

  const selectTenant = (name: string) => database.drizzle.select().from(tenants).where(eq(tenants.name, name))

  it('writes and reads rows with the types of the schema', async () => {
    const [tenant] = await database.drizzle.insert(tenants).values({ name: 'typed' }).returning()
    expect(tenant).toEqual({
      id: expect.any(Number),
      name: 'typed',
      settings: {},
      createdAt: expect.any(Date),
      settingsVersion: 1,
      changedXid: expect.any(String),
    })
    const tenantId = Number(tenant?.id)
    const key = { tenantId, keyHash: Buffer.from('hash'), keyHint: 'h', scopes: ['write' as const], name: 'a' }
    await database.drizzle.insert(apiKeys).values([key, { ...key, keyHash: Buffer.from('other'), scopes: [] }])
    const rows = await database.drizzle
      .select({ id: apiKeys.id, hash: apiKeys.keyHash, scopes: apiKeys.scopes, expiresAt: apiKeys.expiresAt })
      .from(apiKeys)
      .where(and(eq(apiKeys.tenantId, tenantId)))
      .orderBy(desc(apiKeys.id))
    expect(rows).toEqual([
      { id: expect.any(BigInt), hash: Buffer.from('other'), scopes: [], expiresAt: null },
      { id: expect.any(BigInt), hash: Buffer.from('hash'), scopes: ['write'], expiresAt: null },
    ])
  })

  it('is part of the transaction that it is run in', async () => {
    const failing = database.transaction(async (tx) => {
      await drizzleOn(tx).insert(tenants).values({ name: 'undone' })
      throw new Error('undo')
    })
    await expect(failing).rejects.toThrow('undo')
    expect(await selectTenant('undone')).toEqual([])
  })

  it('fails with the errors of the database, which do not quote its parameters', async () => {
    await database.drizzle.insert(tenants).values({ name: 'twice' })
    const again = database.drizzle.insert(tenants).values({ name: 'twice' })
    await expect(again).rejects.toMatchObject({
      code: 'DATABASE_DATA_ERROR',
      message: 'the database refuses a value (23505)',
      details: { constraint: 'tenants_name_key' },
    })
  })

  it('has a span with its text, and no values', async () => {
    spans.length = 0
    await selectTenant('bob')
    expect(spans.map((attributes) => attributes['db.query.text'])).toEqual([
      'select "id", "name", "created_at", "settings", "settings_version", "changed_xid" from "tenants" where "tenants"."name" = $1',
    ])
  })

  it('is written to the slow query log when it is slow', async () => {
    await database.drizzle.select({ slept: sql`pg_sleep(0.1)` }).from(sql`(select 1) as one`)
    logger.flush()
    expect(lines.join('')).toContain('select pg_sleep(?) from (select ?) as one')
  })

  it('fails in a service under test when one request runs it more than ten times', async () => {
    const many = runWithContext({ requestId: 'many' }, async () => {
      for (let i = 0; i < 20; i++) await selectTenant(`n${i}`)
    })
    await expect(many).rejects.toMatchObject({ message: expect.stringContaining('run 11 times in one request') })
  })

  it('is prepared once a connection when it has a name', async () => {
    const byName = database.drizzle
      .select({ id: tenants.id })
      .from(tenants)
      .where(eq(tenants.name, sql.placeholder('name')))
      .prepare('tenant_by_name')
    expect(await byName.execute({ name: 'typed' })).toHaveLength(1)
    expect(await byName.execute({ name: 'nobody' })).toEqual([])
    const { rows } = await database.query(
      `select generic_plans + custom_plans as runs from pg_prepared_statements where name = 'tenant_by_name'`,
    )
    expect(rows).toEqual([{ runs: 2n }])
  })
})
