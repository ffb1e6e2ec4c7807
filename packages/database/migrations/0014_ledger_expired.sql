-- Stored records whose rows retention has deleted, for each tenant. They stay in ledger_consumed.stored: rows = stored - expired. Retention adds to it in
-- the transaction that drops the table with the rows.
create table ledger_expired (
  stream text collate "C" not null,
  tenant_id integer not null,
  expired bigint not null,
  updated_at timestamptz not null default now(),
  primary key (stream, tenant_id)
);
alter table ledger_expired enable row level security;
create policy tenant on ledger_expired using (tenant_id = (select millrace_tenant()));
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on ledger_expired to millrace_reader;
  end if;
end
$$;
