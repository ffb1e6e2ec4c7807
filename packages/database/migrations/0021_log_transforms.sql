-- The rules that change the log lines of a tenant, as JSON text: a row for each version, of which the highest counts. Rows are never updated. changed_xid
-- lets every log-shipper ask what is new since its last answer, as for tenants (0012).
create table log_transforms (
  tenant_id integer not null,
  version integer not null,
  document text not null,
  created_at timestamptz not null default now(),
  created_by text not null,
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, version)
);
create index log_transforms_changed on log_transforms (changed_xid);
alter table log_transforms enable row level security;
create policy tenant on log_transforms using (tenant_id = (select millrace_tenant()));
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on log_transforms to millrace_reader;
  end if;
end
$$;
