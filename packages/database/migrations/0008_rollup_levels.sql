-- The minutes of a 5-minute window, merged over the stream partitions: a series' day by the minute is 288 rows of this table instead of one a minute and
-- partition. minutes holds counts and sums, minute_sketches what uniques and quantiles need (packages/sketches, pack-minutes.ts). A row is as good as its
-- sum of counts: where that is not the row's count, or minutes is null, readers take the 1-minute rows. Windows from before this migration are packed by the
-- compactor, newest first; the index holds those that wait and is empty after that.
alter table rollups_5m add column minutes bytea, add column minute_sketches bytea;
alter table rollups_5m alter column minute_sketches set storage external;
create index rollups_5m_unpacked on rollups_5m (window_start) where minutes is null;

-- Taking a dense HyperLogLog apart again costs more than the third that it shrinks by.
alter table rollups_5m alter column sketch set storage external, alter column uniques set storage external;
alter table rollups_1h alter column sketch set storage external, alter column uniques set storage external;
alter table rollups_1d alter column sketch set storage external, alter column uniques set storage external;

-- Windows of a level that begin before kept_from are gone, or are about to be: nothing is answered from them. Those before emptied_to have been deleted.
create table rollup_levels (
  level_seconds integer primary key,
  kept_from timestamptz not null default '-infinity',
  emptied_to timestamptz not null default '-infinity'
);
insert into rollup_levels (level_seconds) values (60), (300), (3600), (86400);
-- Minutes were dropped by day before there was this table.
update rollup_levels set kept_from = coalesce((
    select min((right(c.relname, 8) || ' UTC')::timestamptz) from pg_inherits i join pg_class c on c.oid = i.inhrelid
     where i.inhparent = 'rollups_1m'::regclass and c.relname ~ '_[0-9]{8}$'), '-infinity')
 where level_seconds = 60;

-- A tenant has hardly ever an overflow, and each query asks.
create index rollup_series_overflow on rollup_series (tenant_id) where overflow;

do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on rollup_levels to millrace_reader;
  end if;
end
$$;
