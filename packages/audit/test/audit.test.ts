import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type Database, migrate, openDatabase } from '@millrace/database'
import { createTestDatabase, type TestDatabase } from '@millrace/testing'
import { type AuditEntry, appendAudit, auditTenants, readAudit, verifyAudit } from '../src/index.js'

describe('audit entries', () => {
  let test: TestDatabase
  let database: Database
  let tenantId = 0
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })
  beforeEach(() => {
    tenantId++
  })

  const entry = (more: Partial<AuditEntry> = {}): AuditEntry => ({
    tenantId,
    action: 'CREATE',
    resource: 'api_key',
    resourceId: '7',
    newValue: { name: 'Zoë \u0000 \ud800' },
    result: 'SUCCESS',
    origin: { actor: 'command:test', ip: '::1' },
    ...more,
  })
  const append = async (count: number) => {
    for (let one = 0; one < count; one++) await appendAudit(database, entry({ resourceId: String(one) }))
  }
  /** What somebody does who may remove the triggers. */
  const tamper = async (statement: string) => {
    await database.transaction(async (tx) => {
      await tx.query('alter table audit_entries disable trigger all')
      await tx.query(statement)
      await tx.query('alter table audit_entries enable trigger all')
    })
  }

  it('form one chain for each tenant, which can be computed again from the stored texts', async () => {
    await append(3)
    const [first] = await readAudit(database, tenantId)
    expect(JSON.parse(first?.entry ?? '')).toEqual({
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      action: 'CREATE',
      resource: 'api_key',
      resource_id: '0',
      new: { name: 'Zoë \u0000 \ud800' },
      result: 'SUCCESS',
      actor: 'command:test',
      ip: '::1',
    })
    expect(await verifyAudit(database, tenantId)).toMatchObject({ entries: 3, problems: [] })
    expect(await auditTenants(database)).toContain(tenantId)
  })

  it('have no gap and no second entry for one place when many transactions append at once and some of them roll back', async () => {
    const work = async (one: number) => {
      await database.transaction(async (tx) => {
        await appendAudit(tx, entry({ resourceId: String(one) }))
        if (one % 3 === 0) throw new Error('the change failed')
      })
    }
    await Promise.allSettled(Array.from({ length: 60 }, (_, one) => work(one)))
    const ids = (await readAudit(database, tenantId)).map(
      (row) => (JSON.parse(row.entry) as { resource_id: string }).resource_id,
    )
    expect(ids.toSorted()).toEqual(
      Array.from({ length: 60 }, (_, one) => String(one))
        .filter((one) => Number(one) % 3 !== 0)
        .toSorted(),
    )
    expect(await verifyAudit(database, tenantId)).toMatchObject({ entries: 40, problems: [] })
  })

  it('stay a whole chain when a writer is killed while it appends', async () => {
    const script = `import pg from 'pg'
      const client = new pg.Client({ connectionString: process.argv[1] })
      await client.connect()
      for (let one = 0; ; one++) {
        const { rows } = await client.query('select millrace_audit($1, $2) as seq', [${tenantId}, JSON.stringify({ one })])
        process.stdout.write(rows[0].seq + '\\n')
      }`
    for (let round = 0; round < 3; round++) {
      const cwd = new URL('../../database', import.meta.url)
      const writer = spawn(process.execPath, ['--input-type=module', '-e', script, test.url], {
        cwd,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let acknowledged = ''
      for await (const text of writer.stdout.setEncoding('utf8')) {
        acknowledged += text
        if (acknowledged.split('\n').length > 20 + round * 7) break
      }
      writer.kill('SIGKILL')
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit')
      const last = Number(acknowledged.split('\n').at(-2))
      const report = await verifyAudit(database, tenantId)
      expect(report.problems).toEqual([])
      expect(report.entries).toBeGreaterThanOrEqual(last)
    }
  })

  it('can neither be changed nor deleted by mistake', async () => {
    await append(1)
    for (const statement of [
      `update audit_entries set entry = '{}'`,
      'delete from audit_entries',
      'truncate audit_entries',
    ])
      await expect(database.query(statement)).rejects.toThrow('audit entries cannot be changed or deleted')
  })

  it('show by their chain which entry was changed, removed from the middle, or removed from the end', async () => {
    await append(6)
    await tamper(
      `update audit_entries set entry = replace(entry, 'SUCCESS', 'DENIED') where tenant_id = ${tenantId} and seq = 2`,
    )
    expect((await verifyAudit(database, tenantId)).problems).toEqual([
      'entry 2 was changed, or the one before it: its hash is another one',
    ])
    await tamper(`delete from audit_entries where tenant_id = ${tenantId} and seq in (2, 3, 6)`)
    expect((await verifyAudit(database, tenantId)).problems).toEqual([
      'entries 2 to 3 are missing',
      'entry 6 is missing',
    ])
    await tamper(`delete from audit_chains where tenant_id = ${tenantId}`)
    expect((await verifyAudit(database, tenantId)).problems).toContain('the head of the chain is missing')
  })

  it('show by a head that was noted before that the end was removed together with its head, or that all was written anew', async () => {
    await append(4)
    const { head } = await verifyAudit(database, tenantId)
    await append(1)
    expect((await verifyAudit(database, tenantId, head)).problems).toEqual([])
    await tamper(`delete from audit_entries where tenant_id = ${tenantId} and seq > 2`)
    await database.query(
      `update audit_chains c set seq = 2, hash = e.hash from audit_entries e where e.tenant_id = c.tenant_id and e.seq = 2 and c.tenant_id = $1`,
      [tenantId],
    )
    expect((await verifyAudit(database, tenantId)).problems).toEqual([])
    const problem = 'entry 4 is missing or has another hash than the known head'
    expect((await verifyAudit(database, tenantId, head)).problems).toEqual([problem])
    await append(2)
    expect((await verifyAudit(database, tenantId, head)).problems).toEqual([problem])
    expect((await verifyAudit(database, tenantId, 'x')).problems).toHaveLength(1)
  })

  it('of one tenant are not shown to another tenant', async () => {
    await append(1)
    const rows = await database.withTenant(tenantId, async (tx) => await readAudit(tx, tenantId - 1))
    expect(rows).toEqual([])
  })

  it('are refused when they are larger than 64 KiB', async () => {
    await expect(appendAudit(database, entry({ newValue: 'x'.repeat(70_000) }))).rejects.toMatchObject({
      code: 'AUDIT_ENTRY_TOO_LARGE',
    })
  })
})
