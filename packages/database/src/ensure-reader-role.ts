import type { Logger } from '@millrace/logger'
import type pg from 'pg'
import { READER_ROLE } from './tenant-isolation.js'

/** Tables without a tenant that readers need, and a view that shows the tenant's rows of a materialized view, which can have no policy. */
const SHARED_TABLES = ['rollup_definitions', 'stream_partitions', 'report_refreshes', 'daily_report', 'journey_days']

/**
 * Creates the reader role and grants it select on every table with the policy `tenant`. Runs after each migration, so a role that could not be created is
 * created later. A user who may not create roles gets a warning with the statements for a superuser; the migration continues.
 */
export async function ensureReaderRole(client: pg.Client, logger: Logger): Promise<void> {
  try {
    await client.query(createRoleSql)
    await client.query(grantSql, [SHARED_TABLES]).then(({ rows }) => grantAll(client, rows as { name: string }[]))
  } catch (error) {
    logger.warn('tenant isolation in the database is off: the role cannot be set up', {
      reason: error instanceof Error ? error.message : String(error),
      remedy: `as a superuser: create role ${READER_ROLE} nologin; grant ${READER_ROLE} to ${client.user}; then migrate again`,
    })
  }
}

/**
 * Roles belong to the server, not to a database: migrators of other databases may create it at the same time, which fails with unique_violation or "tuple
 * concurrently updated" (internal_error). Since PostgreSQL 16 the creator of a role needs a grant to act as it.
 */
const createRoleSql = `do $$
begin
  if not exists (select from pg_roles where rolname = '${READER_ROLE}') then
    begin
      create role ${READER_ROLE} nologin;
    exception when duplicate_object or unique_violation then null;
    end;
  end if;
  if not exists (
    select from pg_auth_members m where m.roleid = '${READER_ROLE}'::regrole and m.member = current_user::regrole and m.grantor <> m.roleid
      and coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
  ) and not (select rolsuper from pg_roles where rolname = current_user) then
    begin
      execute format('grant ${READER_ROLE} to %I', current_user);
    exception when internal_error then null;
    end;
  end if;
end
$$`

const grantSql = `
  select distinct c.relname as name from pg_class c left join pg_policy p on p.polrelid = c.oid and p.polname = 'tenant'
   where c.relnamespace = 'public'::regnamespace and (p.oid is not null or c.relname = any ($1))
     and not has_table_privilege('${READER_ROLE}', c.oid, 'select')`

async function grantAll(client: pg.Client, tables: readonly { name: string }[]): Promise<void> {
  if (tables.length === 0) return
  await client.query(`grant usage on schema public to ${READER_ROLE}`)
  await client.query(
    `grant select on ${tables.map(({ name }) => client.escapeIdentifier(name)).join(', ')} to ${READER_ROLE}`,
  )
}
