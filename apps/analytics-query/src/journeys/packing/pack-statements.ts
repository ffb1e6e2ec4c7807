import { NORMAL_DELAY_MS } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import type { WatermarkConfig } from '../../reads/watermark-statement.js'
import { markSql } from '../mark-sql.js'
import { LATE_CUTS } from './cut-pack-statements.js'

/** A partition with more rows (as the planner knows them) is left alone: what one event has in a day must fit into a value of 1 GB. */
const DAY_ROWS_MAX = 20_000_000

/** Days that one look finds. Packing them takes seconds, a look at all partitions tens of milliseconds. */
export const DAYS_A_LOOK = 10

/** The newest days that are over everywhere, have a partition and are not packed. */
export function openDaysStatement({ stream, consumerGroup }: WatermarkConfig): Statement {
  return {
    text: `select to_date(right(c.relname, 8), 'YYYYMMDD')::text as day
      from pg_inherits i join pg_class c on c.oid = i.inhrelid
      where i.inhparent = 'events'::regclass and c.relname ~ '^events_[0-9]{8}$'
        and (select sum(l.reltuples) from pg_partition_tree(c.oid) t join pg_class l on l.oid = t.relid where t.isleaf) <= ${DAY_ROWS_MAX}
        and not exists (select from journey_days d where d.day = to_date(right(c.relname, 8), 'YYYYMMDD'))
        and to_date(right(c.relname, 8), 'YYYYMMDD') + interval '1 day' + interval '${NORMAL_DELAY_MS} milliseconds' <= (
          select case when count(*) = count(watermark) then min(watermark) at time zone 'UTC' end
          from stream_partitions where group_name = $1 and stream = $2)
      order by c.relname desc limit ${DAYS_A_LOOK}`,
    values: [consumerGroup, stream],
  }
}

/** Whether another instance has packed a day since it was found open. */
export function isPackedStatement(day: string): Statement {
  return { text: 'select exists (select from journey_days where day = $1::date) as is_packed', values: [day] }
}

/** Notices of late events that packed days do not hold yet. */
const UNPACKED = `window_versions w join journey_days d on d.day = w.day
    left join journey_marks m on m.tenant_id = w.tenant_id and m.day = w.day and left(m.event, 500) = w.event
    where w.changed_xid >= coalesce(m.as_of_xid, d.as_of_xid)`

/**
 * Days of tenants that late events have changed since they were packed; not those that are still changing, unless they were packed long ago. While a
 * long transaction holds pg_snapshot_xmin back, changes that are packed look as if they were not: so a day is packed once a minute at most.
 */
export const LATE_DAYS: Statement = {
  text: `select distinct w.tenant_id, w.day::text as day from ${UNPACKED}
      and coalesce(m.made_at < now() - interval '1 minute', true)
      and (w.changed_at < now() - interval '1 minute' or m.made_at < now() - interval '10 minutes')
    order by 2 desc limit 20`,
}

const DELETE_GONE = `, cut as (delete from journey_cut_marks where day in (select day from gone))
    delete from journey_marks where day in (select day from gone)`

/** As long as nobody looks at them, notices of late events may go unseen: then all is packed anew. */
export const FORGET_UNCHECKED: Statement = {
  text: `with gone as (delete from journey_days where (select max(checked_at) from journey_days) < now() - interval '13 days' returning day)${DELETE_GONE}`,
}

/** Days whose events were dropped. */
export const FORGET_DROPPED: Statement = {
  text: `with gone as (delete from journey_days where to_regclass('events_' || to_char(day, 'YYYYMMDD')) is null returning day)${DELETE_GONE}`,
}

/** Not while a notice that will soon be dropped could not be acted on. */
export const NOTE_CHECK: Statement = {
  text: `update journey_days set checked_at = now() where day = (select max(day) from journey_days)
    and not exists (select from ${UNPACKED} and w.changed_at < now() - interval '12 days')
    and not exists (select from ${LATE_CUTS} and w.changed_at < now() - interval '12 days')`,
}

export function insertDayStatement(day: string): Statement {
  return {
    text: 'insert into journey_days (day, as_of_xid) values ($1::date, pg_snapshot_xmin(pg_current_snapshot()))',
    values: [day],
  }
}

export function deleteMarksStatement(tenantId: number, day: string): Statement {
  return { text: 'delete from journey_marks where tenant_id = $1 and day = $2::date', values: [tenantId, day] }
}

/**
 * Packs a day of one tenant, or of all (null): one pass over its rows by its partition. The first select is of each event, the second of any event
 * by quarters of an hour; see MarkLayout for the bytes. Without JIT and with room for its sorts, it costs about 10 us a row.
 */
export function packStatement(tenantId: number | null, day: string): Statement {
  return {
    text: `with mark as materialized (
        select tenant_id, event, user_hash, "timestamp", ${markSql('$1::date', 'tenant_id, user_hash')} as mark
        from events
        where "timestamp" >= ($1::date)::timestamp at time zone 'UTC' and "timestamp" < ($1::date + 1)::timestamp at time zone 'UTC'
          ${tenantId === null ? '' : 'and tenant_id = $2'}
      ), kept as (
        select tenant_id, event, user_hash, mark from mark where event <> ''
        union all
        select tenant_id, '', user_hash, min(mark) from mark group by tenant_id, user_hash, date_bin('15 minutes', "timestamp", '2000-01-01T00:00:00Z')
      ), run as (
        select tenant_id, event, user_hash, int4send(count(*)::integer) || string_agg(int8send(mark), ''::bytea order by mark) as bytes
        from kept group by tenant_id, event, user_hash
      )
      insert into journey_marks (tenant_id, day, event, as_of_xid, marks)
      select tenant_id, $1::date, event, pg_snapshot_xmin(pg_current_snapshot()), string_agg(int8send(user_hash) || bytes, ''::bytea)
      from run group by tenant_id, event`,
    values: tenantId === null ? [day] : [day, tenantId],
  }
}
