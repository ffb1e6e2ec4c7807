-- Packed days cut by what filters and groups ask for (analytics-query, src/journeys/cuts.ts). A row of journey_cuts says that a tenant asks for the events
-- of one name ('' is any) in a certain way, described by cut; a row of journey_cut_marks is a day of it. Nobody needs them: they can be made again from
-- events, and a cut that nobody asks for is forgotten with its days.
create table journey_cuts (
  id integer generated always as identity primary key,
  tenant_id integer not null,
  event text collate "C" not null,
  cut text collate "C" not null,
  -- The first day that was asked for.
  from_day date not null,
  asked_at timestamptz not null default now()
);
create index journey_cuts_tenant on journey_cuts (tenant_id);
alter table journey_cuts enable row level security;
create policy tenant on journey_cuts using (tenant_id = (select millrace_tenant()));

-- As in journey_marks, a day holds everything unless window_versions has a change whose id is not below as_of_xid. parts: a JSON list of [[value, …], first
-- byte from 1, bytes], where in marks the events with these values lie; null when there are too many of them to be kept.
create table journey_cut_marks (
  cut_id integer not null references journey_cuts on delete cascade,
  tenant_id integer not null,
  day date not null,
  as_of_xid xid8 not null,
  made_at timestamptz not null default now(),
  parts jsonb,
  marks bytea not null,
  primary key (cut_id, day)
);
-- Readers take stretches of it, which they could not of a compressed value.
alter table journey_cut_marks alter column marks set storage external;
create index journey_cut_marks_day on journey_cut_marks (day);
alter table journey_cut_marks enable row level security;
create policy tenant on journey_cut_marks using (tenant_id = (select millrace_tenant()));

do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on journey_cuts, journey_cut_marks to millrace_reader;
  end if;
end
$$;
