-- What users did on days that are over, packed for readers that follow users one by one (analytics-query, src/journeys). All of it can be made
-- again from events; analytics-query makes it once every partition's watermark has passed the day. as_of_xid is pg_snapshot_xmin of the snapshot
-- that read the day: the day holds everything, unless window_versions has a change whose id is not below it.
create table journey_days (
  day date primary key,
  as_of_xid xid8 not null,
  -- When notices of late events were last looked at; the newest one counts for all days.
  checked_at timestamptz not null default now()
);

-- marks: by user and time, about 13 bytes an event. event '' is any event, the first of each user in each quarter of an hour alone.
create table journey_marks (
  tenant_id integer not null,
  day date not null,
  event text collate "C" not null,
  as_of_xid xid8 not null,
  made_at timestamptz not null default now(),
  marks bytea not null
);
-- Hashes hardly compress, and readers take whole values.
alter table journey_marks alter column marks set storage external;
-- The beginning of a name fits an index entry, however long the name is.
create index journey_marks_event on journey_marks (tenant_id, day, left(event, 500));
create index journey_marks_day on journey_marks (day);
alter table journey_marks enable row level security;
create policy tenant on journey_marks using (tenant_id = (select millrace_tenant()));
