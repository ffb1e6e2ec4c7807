-- The standing report by UTC day. Users are merged from sketches by analytics-query, who keeps the number here with the count of events that it was
-- made from; a day whose count has changed is merged again.
create table daily_users (
  tenant_id integer not null,
  day date not null,
  events bigint not null,
  users bigint not null,
  primary key (tenant_id, day)
) with (fillfactor = 50);
alter table daily_users enable row level security;
create policy tenant on daily_users using (tenant_id = (select millrace_tenant()));

-- What the last refresh of a report stands for. Days that end after complete_until may lack records; so may those that window_versions says were
-- changed by a transaction that is not below snapshot_xmin.
create table report_refreshes (
  name text collate "C" primary key,
  refreshed_at timestamptz not null,
  covers_from timestamptz not null,
  complete_until timestamptz,
  watermark timestamptz,
  snapshot_xmin xid8 not null,
  took_ms double precision not null
);

-- 90 days from the day rollups: small rows only, no sketch is read. averages: by property, of the rollups over all events without dimensions, for
-- days that such a rollup covers whole. A day whose rollups wait for their recomputation is marked.
create materialized view daily_report_days as
with counted as (
  select r.tenant_id, (r.window_start at time zone 'UTC')::date as day,
    coalesce(sum(r.count) filter (where s.property is null), 0)::bigint as events,
    jsonb_object_agg(s.property, (r.sum + coalesce(r.sum_error, 0)) / r.count) filter (where d.id is not null and r.count > 0) as averages
  from rollups_1d r
  join rollup_series s on s.id = r.series_id and s.dimensions = '{}' and (s.event = '*') = (s.property is not null)
  left join rollup_definitions d on d.event = '*' and d.dimensions = '{}' and d.property = s.property
    and d.active_from <= r.window_start and (d.active_until is null or d.active_until >= r.window_start + interval '1 day')
  where r.window_start >= date_trunc('day', now(), 'UTC') - interval '90 days'
  group by 1, 2
), dirty as (
  select distinct tenant_id, (window_start at time zone 'UTC')::date as day from rollup_dirty
  where window_start >= date_trunc('day', now(), 'UTC') - interval '90 days'
)
select tenant_id, day, coalesce(c.events, 0) as events, coalesce(u.users, 0) as users, coalesce(c.averages, '{}') as averages,
  x.tenant_id is not null or c.events is distinct from u.events as is_dirty
from counted c full join dirty x using (tenant_id, day) left join daily_users u using (tenant_id, day);
create unique index daily_report_days_key on daily_report_days (tenant_id, day);

-- A materialized view knows no row level security: readers see it through this one, which shows a tenant its own days.
create view daily_report with (security_barrier) as
  select day, events, users, averages, is_dirty from daily_report_days where tenant_id = (select millrace_tenant());

do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on daily_users, report_refreshes, daily_report to millrace_reader;
  end if;
end
$$;
