import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { readAudit, verifyAudit } from '@millrace/audit'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { setTenantLimits } from '../limits/set-tenant-limits.js'
import { KeyManager } from './key-manager.js'
import { seedKeys } from './seed-keys.js'

describe('audit entries of keys and tenants', () => {
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

  const entriesOf = async (tenantId: number) =>
    (await readAudit(database, tenantId)).map(({ entry }) => JSON.parse(entry) as Record<string, unknown>)

  it('say who created, rotated and revoked a key and from where, also when it was refused, and hold no key', async () => {
    const manager = new KeyManager({ database, actor: 'command:tenants' })
    const tenantId = await manager.createTenant('acme')
    const { id, key } = await manager.create({ tenantId, name: 'admin', scopes: ['admin'] })
    const origin = { actor: 'key:77', ip: '192.0.2.1', userAgent: 'curl/8' }
    await expect(manager.revoke(tenantId, id, { origin })).rejects.toMatchObject({ code: 'LAST_ADMIN_KEY' })
    const next = await manager.rotate(tenantId, id, { origin })
    await manager.revoke(tenantId, id, { origin })
    await expect(manager.revoke(tenantId, '999999', { origin })).rejects.toMatchObject({ code: 'KEY_NOT_FOUND' })
    const entries = await entriesOf(tenantId)
    const from = { actor: 'key:77', ip: '192.0.2.1', user_agent: 'curl/8', resource: 'api_key' }
    expect(entries).toMatchObject([
      { action: 'CREATE', resource: 'tenant', new: { name: 'acme' }, actor: 'command:tenants', result: 'SUCCESS' },
      { action: 'CREATE', resource: 'api_key', resource_id: id, new: { scopes: ['admin'] }, result: 'SUCCESS' },
      { ...from, action: 'DELETE', resource_id: id, result: 'DENIED', code: 'LAST_ADMIN_KEY' },
      { ...from, action: 'UPDATE', resource_id: id, new: { successor: next.id }, result: 'SUCCESS' },
      { ...from, action: 'DELETE', resource_id: id, result: 'SUCCESS' },
      { ...from, action: 'DELETE', resource_id: '999999', result: 'DENIED', code: 'KEY_NOT_FOUND' },
    ])
    for (const secret of [key, next.key]) expect(JSON.stringify(entries)).not.toContain(secret)
    expect((await verifyAudit(database, tenantId)).problems).toEqual([])
  })

  it('say which limits of a tenant were changed, with the old and the new ones', async () => {
    const tenantId = await new KeyManager({ database, actor: 'test' }).createTenant('limited')
    const origin = { actor: 'command:tenants' }
    await setTenantLimits(database, { tenantId, limits: { ratePerSecond: 5 }, origin })
    await setTenantLimits(database, { tenantId, limits: undefined, origin })
    expect((await entriesOf(tenantId)).slice(1)).toMatchObject([
      { resource: 'tenant_limits', new: { ratePerSecond: 5 } },
      { resource: 'tenant_limits', old: { ratePerSecond: 5 } },
    ])
  })

  it('say which keys came from settings, once', async () => {
    const given = { writeKey: 'mr_some_write_key_for_tests', adminKey: undefined, isProduction: false }
    await seedKeys(given, { database })
    await seedKeys(given, { database })
    const { rows } = await database.query<{ id: number }>(`select id from tenants where name = 'default'`)
    const entries = await entriesOf(rows[0]?.id ?? 0)
    expect(entries.filter(({ actor }) => actor === 'setting:BOOTSTRAP_WRITE_KEY')).toHaveLength(1)
  })
})
