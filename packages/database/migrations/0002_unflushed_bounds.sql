-- What is stored but not yet in the rollups: the least and greatest event time of those records (null when there are none), so that a
-- query can read exactly them from the raw rows; and the watermark that the rollups stand for.
alter table stream_partitions
  add column unflushed_from timestamptz,
  add column unflushed_to timestamptz,
  add column flushed_watermark timestamptz;

-- Positions say nothing about a tenant; a reader needs them to see how far the rollups have come.
do $$
begin
  if exists (select from pg_roles where rolname = 'millrace_reader') then
    grant select on stream_partitions to millrace_reader;
  end if;
end
$$;
