-- Log lines in chunks: compressed columns of up to some thousand lines of one tenant, sorted by time. The day is that of the lines in UTC; lines that are older
-- than the retention have the day of their receipt, so a search for old times must look at all days. levels has a bit for each level that occurs, services
-- the name of each service.
create sequence log_chunk_ids;
create table log_chunks (
  tenant_id integer not null,
  day timestamptz not null,
  chunk_id bigint not null default nextval('log_chunk_ids'),
  first_ms bigint not null,
  last_ms bigint not null,
  lines integer not null,
  levels smallint not null,
  services text[] collate "C" not null,
  data bytea not null
) partition by range (day);
-- The data is compressed already.
alter table log_chunks alter column data set storage external;
create index log_chunks_newest on log_chunks (tenant_id, last_ms desc, chunk_id desc);
alter table log_chunks enable row level security;
create policy tenant on log_chunks using (tenant_id = (select millrace_tenant()));

-- The last frame of each producer whose lines are in log_chunks. Frames of a partition after its flushed position are new only with a higher sequence.
create table log_flushed (
  group_name text collate "C" not null,
  stream text collate "C" not null,
  partition smallint not null,
  producer uuid not null,
  last_sequence bigint not null,
  updated_at timestamptz not null default now(),
  primary key (group_name, stream, partition, producer)
);
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on log_chunks to millrace_reader;
  end if;
end
$$;
