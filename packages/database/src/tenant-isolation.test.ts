import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { createTestDatabase, startTestPostgresServer, type TestDatabase } from '@millrace/testing'
import { type Database, DayPartitions, migrate, openDatabase } from './index.js'

const NOON = Date.UTC(2026, 10, 21, 12)

/** One row of tenants 1 and 2 in every table that belongs to tenants. */
async function fill(database: Database): Promise<void> {
  const partitions = new DayPartitions(database)
  for (const table of ['events', 'rollups_1m', 'log_chunks'] as const) await partitions.ensure(table, NOON, NOON)
  const uuid = '00000000-0000-4000-8000-000000000001'
  for (const tenant of [1, 2]) {
    await database.query(
      `insert into events (position, user_hash, "timestamp", received_at, tenant_id, partition, type, message_id, event) values (1, 1, to_timestamp($2), now(), $1, 0, 0, 'm', 'e')`,
      [tenant, NOON / 1000],
    )
    await database.query(
      `insert into dead_letters (stream, tenant_id, partition, position, producer, sequence, record_index, message_id, code, reason, record) values ('s', $1, 0, '', $2, 1, 0, 'm', 'c', 'r', '')`,
      [tenant, uuid],
    )
    await database.query(
      `insert into ledger_produced (stream, producer, tenant_id, accepted, rejected) values ('s', $2, $1, 1, 0)`,
      [tenant, uuid],
    )
    await database.query(`insert into ledger_expired values ('s', $1, 1)`, [tenant])
    await database.query(`insert into ledger_consumed values ('s', 0, $2, $1, 1, 0, 1, 0, 0)`, [tenant, uuid])
    await database.query(
      `insert into rollup_series (tenant_id, event, dimensions, dimension_values) values ($1, 'e', '{}', '{}')`,
      [tenant],
    )
    await database.query(
      `insert into rollups_1m (window_start, tenant_id, series_id, partition, count) values (to_timestamp($2), $1, 1, 0, 1)`,
      [tenant, NOON / 1000],
    )
    for (const level of ['5m', '1h', '1d'])
      await database.query(
        `insert into rollups_${level} (window_start, tenant_id, series_id, count) values (now(), $1, 1, 1)`,
        [tenant],
      )
    await database.query('insert into rollup_dirty values (300, $1, now())', [tenant])
    await database.query(
      `insert into login_events (tenant_id, message_id, "timestamp", method, success) values ($1, 'm', now(), 'password', true)`,
      [tenant],
    )
    await database.query(
      `insert into activity_logs (tenant_id, message_id, user_id, "timestamp", action, entity_type, entity_id) values ($1, 'm', 'u', now(), 'a', 't', 'i')`,
      [tenant],
    )
    await database.query(`insert into daily_users (tenant_id, day, events, users) values ($1, '2026-11-21', 1, 1)`, [
      tenant,
    ])
    await database.query(
      `insert into journey_marks (tenant_id, day, event, as_of_xid, marks) values ($1, '2026-11-21', 'e', '1', '')`,
      [tenant],
    )
    await database.query(
      `with cut as (insert into journey_cuts (tenant_id, event, cut, from_day) values ($1, 'e', '{}', '2026-11-21') returning id)
        insert into journey_cut_marks (cut_id, tenant_id, day, as_of_xid, marks) select id, $1, '2026-11-21', '1', '' from cut`,
      [tenant],
    )
    await database.query(
      `insert into log_chunks (tenant_id, day, first_ms, last_ms, lines, levels, services, data) values ($1, to_timestamp($2), 0, 0, 1, 0, '{}', '')`,
      [tenant, NOON / 1000],
    )
    await database.query(
      `insert into log_transforms (tenant_id, version, document, created_by) values ($1, 1, '', '')`,
      [tenant],
    )
    await database.query(`insert into archive_chains values ($1, 's', '2026-11-21', 1, '')`, [tenant])
    await database.query(
      `insert into archive_segments values ($1, 's', '2026-11-21', 1, '', 'k', now(), 1, 1, 0, 0, '{}')`,
      [tenant],
    )
    await database.query(`insert into archive_rules (tenant_id, stream, kept_days) values ($1, 's', 1)`, [tenant])
    await database.query(`insert into archive_holds (tenant_id, stream, reason) values ($1, 's', 'r')`, [tenant])
    await database.query(`select millrace_audit($1, '{}')`, [tenant])
    await database.query(
      `with job as (insert into data_import_jobs (tenant_id, settings) values ($1, '{}') returning job_id),
        reject as (insert into import_rejects (job_id, tenant_id, record, fault, line, code, reason) select job_id, $1, 1, 0, 1, 'c', 'r' from job)
        insert into data_migration_logs (job_id, tenant_id, row_key, action, row_before) select job_id, $1, 'k', 'update', '{}' from job`,
      [tenant],
    )
    await database.query(`insert into users (tenant_id, user_id) values ($1, 'u')`, [tenant])
    await database.query(
      `insert into povs (tenant_id, pov_id, name, customer, status) values ($1, 'p', 'n', 'c', 'won')`,
      [tenant],
    )
    await database.query(
      `insert into trrs (tenant_id, trr_id, pov_id, title, risk, status) values ($1, 't', 'p', 't', 'low', 'open')`,
      [tenant],
    )
    await database.query(`insert into window_versions (tenant_id, event, day) values ($1, 'e', '2026-11-21')`, [tenant])
    await database.query(
      `insert into user_sessions (tenant_id, session_id, started_at, last_seen_at) values ($1, 's', now(), now())`,
      [tenant],
    )
  }
}

describe('tenant isolation', () => {
  let test: TestDatabase
  let database: Database
  beforeAll(async () => {
    test = await createTestDatabase({ migrate })
    database = openDatabase({ url: test.url })
    await fill(database)
  })
  afterAll(async () => {
    await database.close()
    await test.release()
  })

  const tenantTables = async () => {
    const { rows } = await database.query<{ name: string }>(
      `select c.relname as name from pg_attribute a join pg_class c on c.oid = a.attrelid
        where a.attname = 'tenant_id' and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'api_keys' order by 1`,
    )
    return rows.map(({ name }) => name)
  }

  it('shows a reader only the rows of its tenant, in every table with tenants, even when the statement has no filter', async () => {
    const tables = await tenantTables()
    expect(tables).toHaveLength(33)
    for (const table of tables) {
      const { rows } = await database.withTenant(2, (tx) =>
        tx.query<{ tenant_id: number }>(`select tenant_id from ${table}`),
      )
      expect([table, rows]).toEqual([table, [{ tenant_id: 2 }]])
    }
  })

  it('shows no rows to a reader without a tenant', async () => {
    const rows = await database.transaction(async (tx) => {
      await tx.query('set local role millrace_reader')
      return (await tx.query('select * from events')).rows
    })
    expect(rows).toEqual([])
  })

  it.each([
    'select * from api_keys',
    'select * from tenants',
    'select * from event_journal',
    'select * from events_20261121',
    'select * from daily_report_days',
  ])('denies a reader the statement: %s', async (text) => {
    await expect(database.withTenant(1, (tx) => tx.query(text))).rejects.toMatchObject({
      details: { sqlState: '42501' },
    })
  })

  it('denies a reader all writes, even in a transaction that is not read only', async () => {
    const writing = database.withTenant(1, (tx) => tx.query('delete from rollups_1d'), { readOnly: false })
    await expect(writing).rejects.toMatchObject({ details: { sqlState: '42501' } })
  })

  it('leaves neither role nor tenant on the connection', async () => {
    const single = openDatabase({ url: test.url, connectionLimit: 1 })
    await single.withTenant(1, (tx) => tx.query('select 1'))
    const { rows } = await single.query<{ role: string; tenants: bigint }>(
      'select current_user::text as role, count(*) as tenants from events',
    )
    expect(rows).toEqual([{ role: 'postgres', tenants: 2n }])
    await single.close()
  })
})

describe('tenant isolation on other servers', () => {
  it('holds when the owner of the database is no superuser but may create roles', async () => {
    const server = await startTestPostgresServer({ binaries: 'system' }).catch(() => startTestPostgresServer())
    const admin = openDatabase({ url: server.url })
    await admin.query('create role app login nosuperuser createrole')
    await admin.query('create database app owner app')
    const url = server.url.replace('postgres@', 'app@').replace(/\/\w+$/, '/app')
    await migrate(url)
    const database = openDatabase({ url })
    await fill(database)
    const { rows } = await database.withTenant(1, (tx) =>
      tx.query('select current_user::text as role, tenant_id from events'),
    )
    expect(rows).toEqual([{ role: 'millrace_reader', tenant_id: 1 }])
    expect((await database.query('select from events')).rowCount).toBe(2)
    await database.close()
    await admin.close()
    await server.stop()
  })
})
