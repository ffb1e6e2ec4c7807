-- Which days of which events a late record has changed, and when. The consumer that stores the record writes the row in the same transaction, so
-- whoever sees the record sees the row. Readers ask for rows whose changed_xid is at least a bound and take pg_snapshot_xmin of the same snapshot
-- as the next bound: a transaction that commits later has an id that is not below it, in whatever order ids were given out.
create table window_versions (
  tenant_id integer not null,
  event text collate "C" not null,
  day date not null,
  version bigint not null default 1,
  changed_at timestamptz not null default now(),
  changed_xid xid8 not null default pg_current_xact_id(),
  primary key (tenant_id, event, day)
) with (fillfactor = 50);
create index window_versions_changed on window_versions (changed_xid);
alter table window_versions enable row level security;
create policy tenant on window_versions using (tenant_id = (select millrace_tenant()));
