-- Tenant isolation in the database: readers act as millrace_reader, whom row level security shows the rows of the tenant in the
-- setting millrace.tenant_id alone. The tables' owner, who writes, is not bound by it.

create function millrace_tenant() returns integer
  language sql stable parallel safe
  return nullif(current_setting('millrace.tenant_id', true), '')::integer;

-- Raises MR001 when fewer or more rows changed than must have. Sent with COMMIT, it lets a writer prove its lease without waiting for an answer.
create function millrace_fence(changed bigint, expected bigint) returns void
  language plpgsql volatile as $$
begin
  if changed is distinct from expected then
    raise exception 'fenced: % rows changed, % expected', changed, expected using errcode = 'MR001';
  end if;
end
$$;

do $$
declare
  tenant_table text;
begin
  foreach tenant_table in array array[
    'events', 'dead_letters', 'ledger_produced', 'ledger_consumed', 'rollup_series', 'rollups_1m', 'rollups_5m', 'rollups_1h', 'rollups_1d',
    'rollup_dirty', 'login_events', 'activity_logs', 'user_sessions'
  ] loop
    execute format('alter table %I enable row level security', tenant_table);
    execute format('create policy tenant on %I using (tenant_id = (select millrace_tenant()))', tenant_table);
  end loop;
end
$$;

-- Of a journal row a tenant may see nothing; receipts are answered by the consumer, who owns the tables.

-- The role is the server's, not the database's: another database of the server, or whoever set it up, may have made it. Where we may not
-- make it, reads for tenants fail until someone does; the migrator says so.
do $$
begin
  begin
    if not exists (select from pg_roles where rolname = 'millrace_reader') then
      create role millrace_reader nologin;
    end if;
    if not pg_has_role(current_user, 'millrace_reader', 'member') then
      execute format('grant millrace_reader to %I', current_user);
    end if;
  exception
    when duplicate_object or unique_violation then null;
    when insufficient_privilege then
      raise warning 'role millrace_reader is missing or not granted to %: reads for tenants will be refused. As a superuser run: create role millrace_reader nologin; grant millrace_reader to %;', current_user, quote_ident(current_user);
  end;
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant usage on schema public to millrace_reader;
    grant select on events, dead_letters, ledger_produced, ledger_consumed, rollup_definitions, rollup_series, rollups_1m, rollups_5m, rollups_1h,
      rollups_1d, rollup_dirty, login_events, activity_logs, user_sessions to millrace_reader;
  end if;
end
$$;
