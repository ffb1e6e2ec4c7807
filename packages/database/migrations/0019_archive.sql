-- The archive: segments in the object store, each an entry of the hash chain of its tenant, stream and UTC day of arrival. Here is the head of each chain, and what is known
-- of each segment, so that a time range is found without a list of objects. The object store has all of this too.
create table archive_chains (
  tenant_id integer not null,
  stream text collate "C" not null,
  day date not null,
  seq bigint not null,
  hash bytea not null,
  updated_at timestamptz not null default now(),
  primary key (tenant_id, stream, day)
);
create table archive_segments (
  tenant_id integer not null,
  stream text collate "C" not null,
  day date not null,
  seq bigint not null,
  hash bytea not null,
  kind text not null,
  hour timestamptz not null,
  records bigint not null,
  bytes bigint not null,
  first_ms bigint not null,
  last_ms bigint not null,
  labels text[] not null,
  deleted_by bigint,
  primary key (tenant_id, stream, day, seq)
);
create index archive_segments_times on archive_segments (stream, last_ms) where deleted_by is null;

-- archive_state: 0 is not archived, 1 is archived, 2 was restored from the archive. stored_at decides the hour of arrival. A chunk that replaces others must have their state, so
-- chunks that are not archived may only be merged with each other.
alter table log_chunks
  add column stored_at timestamptz not null default now(),
  add column archive_state smallint not null default 0;
create index log_chunks_unarchived on log_chunks (tenant_id, chunk_id) where archive_state = 0;

alter table archive_chains enable row level security;
create policy tenant on archive_chains using (tenant_id = (select millrace_tenant()));
alter table archive_segments enable row level security;
create policy tenant on archive_segments using (tenant_id = (select millrace_tenant()));
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on archive_chains, archive_segments to millrace_reader;
  end if;
end
$$;
