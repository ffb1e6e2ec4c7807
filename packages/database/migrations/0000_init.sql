-- Text that is compared byte by byte carries collate "C": ICU order costs about 1 us a row on the user index and is not needed.

create table tenants (
  id integer generated always as identity primary key,
  name text collate "C" not null unique,
  created_at timestamptz not null default now(),
  settings jsonb not null default '{}'
);

-- Keys are high-entropy random strings, so one SHA-256 is enough; only the hash is stored.
create table api_keys (
  id bigint generated always as identity primary key,
  tenant_id integer not null references tenants (id),
  name text not null default '',
  key_hash bytea not null unique,
  key_hint text not null,
  scopes text[] not null check (scopes <@ array['write', 'read', 'admin']),
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- One row a group and partition: the position and the lease in one place, so that whoever commits a position proves the lease.
-- position is the driver's own, opaque; '' is the beginning. Ordinals count records of the partition in stream order from 0.
create table stream_partitions (
  group_name text collate "C" not null,
  stream text collate "C" not null,
  partition smallint not null,
  position text collate "C" not null default '',
  next_ordinal bigint not null default 0,
  frames bigint not null default 0,
  flushed_position text collate "C" not null default '',
  flushed_ordinal bigint not null default 0,
  watermark timestamptz,
  owner text collate "C",
  epoch bigint not null default 0,
  lease_expires_at timestamptz,
  blocked_reason text,
  blocked_since timestamptz,
  updated_at timestamptz not null default now(),
  primary key (group_name, stream, partition)
) with (fillfactor = 50);

create table stream_members (
  group_name text collate "C" not null,
  stream text collate "C" not null,
  member text collate "C" not null,
  heartbeat_at timestamptz not null default now(),
  primary key (group_name, stream, member)
) with (fillfactor = 50);

-- The last frame seen of each producer. A frame at or below last_sequence was seen before; one beyond last_sequence + 1 is a gap.
create table stream_producers (
  group_name text collate "C" not null,
  stream text collate "C" not null,
  partition smallint not null,
  producer uuid not null,
  last_sequence bigint not null,
  records bigint not null,
  lost_records bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (group_name, stream, partition, producer)
) with (fillfactor = 50);

-- The gateway's own cumulative counts of one producer (a gateway's life), flushed once a second and at the end.
create table ledger_produced (
  stream text collate "C" not null,
  producer uuid not null,
  tenant_id integer not null,
  accepted bigint not null,
  rejected bigint not null,
  spooled bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (stream, producer, tenant_id)
) with (fillfactor = 50);

-- What the consumer made of the frames of one producer, in the transaction that stored them. accepted and rejected come from the
-- frames' tallies; accepted = stored + duplicate + dead_lettered + rejected for all that was read.
create table ledger_consumed (
  stream text collate "C" not null,
  partition smallint not null,
  producer uuid not null,
  tenant_id integer not null,
  accepted bigint not null,
  rejected bigint not null,
  stored bigint not null,
  duplicate bigint not null,
  dead_lettered bigint not null,
  updated_at timestamptz not null default now(),
  primary key (stream, partition, producer, tenant_id)
) with (fillfactor = 50);

-- One row a frame, kept for the deduplication window. hashes: 8 bytes a record in record order (little-endian low word, high word).
-- verdicts: absent when every record was stored, else one byte a record: 0 stored, 1 duplicate, 2 dead-lettered.
create table event_journal (
  partition smallint not null,
  producer uuid not null,
  sequence bigint not null,
  first_ordinal bigint not null,
  records integer not null,
  duplicates integer not null,
  dead_lettered integer not null,
  committed_at timestamptz not null default now(),
  position text collate "C" not null,
  verdicts bytea,
  hashes bytea not null
) partition by range (committed_at);
alter table event_journal alter column hashes set storage external;
create index event_journal_frame on event_journal (partition, producer, sequence);

-- No unique index: the consumer deduplicates before it stores. user_hash is the 64-bit hash of tenant and user (or anonymous) id that
-- also chose the stream partition; the index over it is half as wide as one over the id itself and batches arrive sorted by it.
create table events (
  position bigint not null,
  user_hash bigint not null,
  "timestamp" timestamptz not null,
  received_at timestamptz not null,
  tenant_id integer not null,
  partition smallint not null,
  type smallint not null,
  message_id text collate "C" not null,
  event text collate "C" not null,
  user_id text collate "C",
  anonymous_id text collate "C",
  properties jsonb,
  context jsonb
) partition by range ("timestamp");
create index events_time on events using brin ("timestamp") with (pages_per_range = 32);
create index events_user on events (tenant_id, user_hash, "timestamp" desc);

create table dead_letters (
  id bigint generated always as identity primary key,
  stream text collate "C" not null,
  tenant_id integer not null,
  partition smallint not null,
  position text collate "C" not null,
  producer uuid not null,
  sequence bigint not null,
  record_index integer not null,
  message_id text collate "C" not null,
  code text collate "C" not null,
  reason text not null,
  record bytea not null,
  state text collate "C" not null default 'pending' check (state in ('pending', 'replaying', 'replayed', 'discarded')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index dead_letters_tenant on dead_letters (tenant_id, id desc);

-- Which aggregates are kept while streaming. dimensions and property are paths such as properties.carrier; event '*' is every event.
-- Windows that begin before active_from may lack records: only later ones may be answered from rollups.
create table rollup_definitions (
  id integer generated always as identity primary key,
  event text collate "C" not null,
  dimensions text[] not null,
  property text collate "C",
  active_from timestamptz not null,
  active_until timestamptz,
  unique nulls not distinct (event, dimensions, property)
);

-- One row a distinct (tenant, event, dimension values, property); values line up with the definition's dimensions, null where the
-- property was absent. Past the cardinality bound records go to the series whose overflow is true.
create table rollup_series (
  id integer generated always as identity primary key,
  tenant_id integer not null,
  event text collate "C" not null,
  dimensions text[] not null,
  dimension_values text[] not null,
  property text collate "C",
  overflow boolean not null default false,
  unique nulls not distinct (tenant_id, event, dimensions, dimension_values, property)
);

-- Absolute values, written by the owner of the stream partition. count is of records, or of numeric values where the series has a
-- property; sum + sum_error is the sum in double-double arithmetic; sketch is a DDSketch, uniques a HyperLogLog.
create table rollups_1m (
  window_start timestamptz not null,
  tenant_id integer not null,
  series_id integer not null,
  partition smallint not null,
  count bigint not null,
  sum double precision,
  sum_error double precision,
  min double precision,
  max double precision,
  sketch bytea,
  uniques bytea,
  primary key (tenant_id, series_id, window_start, partition)
) partition by range (window_start);
alter table rollups_1m alter column sketch set storage external;
alter table rollups_1m alter column uniques set storage external;

-- Coarser windows are merged from the next finer ones over all partitions; a window listed in rollup_dirty is not to be trusted yet.
create table rollups_5m (
  window_start timestamptz not null, tenant_id integer not null, series_id integer not null,
  count bigint not null, sum double precision, sum_error double precision, min double precision, max double precision,
  sketch bytea, uniques bytea, primary key (tenant_id, series_id, window_start)
);
create table rollups_1h (like rollups_5m including all);
create table rollups_1d (like rollups_5m including all);
create table rollup_dirty (
  level_seconds integer not null,
  tenant_id integer not null,
  window_start timestamptz not null,
  version bigint not null default 1,
  primary key (level_seconds, tenant_id, window_start)
);

create table login_events (
  tenant_id integer not null, message_id text collate "C" not null, user_id text collate "C", "timestamp" timestamptz not null,
  method text not null, success boolean not null, failure_reason text,
  device_type text, browser text, browser_version text, os text, os_version text, ip text
);
create index login_events_time on login_events (tenant_id, "timestamp" desc);
create table activity_logs (
  tenant_id integer not null, message_id text collate "C" not null, user_id text collate "C" not null, "timestamp" timestamptz not null,
  action text not null, entity_type text not null, entity_id text not null, metadata jsonb not null default '{}'
);
create index activity_logs_user on activity_logs (tenant_id, user_id, "timestamp" desc);
create table user_sessions (
  tenant_id integer not null, session_id text collate "C" not null, user_id text collate "C",
  started_at timestamptz not null, last_seen_at timestamptz not null, ended_at timestamptz, end_reason text,
  device_type text, browser text, os text, ip text,
  primary key (tenant_id, session_id)
);
create index user_sessions_active on user_sessions (last_seen_at) where ended_at is null;
