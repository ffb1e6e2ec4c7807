-- How long archive segments are kept: by tenant, stream and label, where '' is all labels. A segment is kept as long as the longest rule of its labels says.
create table archive_rules (
  tenant_id integer not null,
  stream text collate "C" not null,
  label text collate "C" not null default '',
  kept_days integer not null check (kept_days between 1 and 36500),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, stream, label)
);

-- Legal holds: nothing of the tenant and stream with records of these times is deleted until the hold is released. Both ends are inclusive; null is without end. A hold stays here after it was released.
create table archive_holds (
  id bigint generated always as identity primary key,
  tenant_id integer not null,
  stream text collate "C" not null,
  from_ms bigint,
  to_ms bigint,
  reason text not null,
  placed_at timestamptz not null default now(),
  released_at timestamptz
);
create index archive_holds_valid on archive_holds (tenant_id, stream) where released_at is null;

-- How far the archive of a stream is, written by each run of the archiver. is_late: records wait for much longer than they should. reason is the error of the last run.
create table archive_status (
  stream text collate "C" primary key,
  checked_at timestamptz not null default now(),
  pending_records bigint not null,
  oldest_pending_at timestamptz,
  is_late boolean not null,
  reason text
);

-- Days of log_chunks that were restored from the archive: retention leaves them until then.
create table log_restored_days (
  day date primary key,
  kept_until timestamptz not null
);

-- entry is the JSON of the entry, byte for byte: a tombstone keeps it. The object of a deleted segment is removed after the tombstone is stored.
alter table archive_segments add column entry text not null default '', add column is_removed boolean not null default false;

alter table archive_rules enable row level security;
create policy tenant on archive_rules using (tenant_id = (select millrace_tenant()));
alter table archive_holds enable row level security;
create policy tenant on archive_holds using (tenant_id = (select millrace_tenant()));
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on archive_rules, archive_holds to millrace_reader;
  end if;
end
$$;
