import type { Statement } from '@millrace/database'
import { filterSql, groupSql } from '../../sql/field-sql.js'
import { SqlValues } from '../../sql/sql-values.js'
import type { CutWish } from '../cut-wishes.js'
import { type CutPart, filterOfPart, parseCut, pathOfPart } from '../cuts.js'
import { markSql } from '../mark-sql.js'
import { VISIT_GAP_MS } from '../marks.js'

/** Of one tenant, those asked for last; one that was not asked for in so long is forgotten. */
const CUTS_MAX = 100
const ASKED_WITHIN = '14 days'
/** Combinations of values of one name and day; more are not kept, only that there are more. */
const PARTS_MAX = 500
/** Days to be packed that one look finds. */
const PIECES_MAX = 500

/** Keeps what is asked for; only whoever holds the lock may. */
export function keepWishesStatements(wishes: readonly CutWish[]): Statement[] {
  const values = [
    wishes.map(({ tenantId }) => tenantId),
    wishes.map(({ event }) => event),
    wishes.map(({ cut }) => cut),
    wishes.map(({ fromDay }) => fromDay),
  ]
  const wish = `(select tenant_id, event, cut, min(from_day) as from_day
      from unnest($1::integer[], $2::text[], $3::text[], $4::date[]) as w (tenant_id, event, cut, from_day) group by 1, 2, 3) w`
  const isKnown = 'c.tenant_id = w.tenant_id and c.event = w.event and c.cut = w.cut'
  return [
    {
      text: `update journey_cuts c set asked_at = now(), from_day = least(c.from_day, w.from_day) from ${wish} where ${isKnown}`,
      values,
    },
    {
      text: `insert into journey_cuts (tenant_id, event, cut, from_day)
        select w.tenant_id, w.event, w.cut, w.from_day from ${wish} where not exists (select from journey_cuts c where ${isKnown})`,
      values,
    },
  ]
}

/** Cuts that are asked for no more, or that are too many, with their days. */
export const FORGET_CUTS: Statement = {
  text: `delete from journey_cuts where id in (
      select id from (select id, asked_at, row_number() over (partition by tenant_id order by asked_at desc, id desc) as place from journey_cuts) c
      where place > ${CUTS_MAX} or asked_at < now() - interval '${ASKED_WITHIN}')`,
}

/** Days of cuts that late events have changed since they were packed, `m`, and the notices of them, `w`. */
export const LATE_CUTS = `journey_cut_marks m join journey_cuts c on c.id = m.cut_id
    join window_versions w on w.tenant_id = m.tenant_id and w.day = m.day and (c.event = '' or w.event = left(c.event, 500))
    where w.changed_xid >= m.as_of_xid`

/** They are packed anew, at the same pace as days are: see LATE_DAYS. */
export const FORGET_LATE_CUTS: Statement = {
  text: `delete from journey_cut_marks where (cut_id, day) in (
      select m.cut_id, m.day from ${LATE_CUTS} and m.made_at < now() - interval '1 minute'
        and (w.changed_at < now() - interval '1 minute' or m.made_at < now() - interval '10 minutes'))`,
}

/** A day of a tenant in one cut, for one name or several. */
export interface CutPiece {
  readonly tenant_id: number
  readonly day: string
  readonly cut: string
  readonly ids: readonly number[]
  readonly events: readonly string[]
}

/** What is asked for and not packed: newest days first. */
export const MISSING_PIECES: Statement = {
  text: `select c.tenant_id, d.day::text as day, c.cut, array_agg(c.id) as ids, array_agg(c.event) as events
    from journey_cuts c join journey_days d on d.day >= c.from_day
    where not exists (select from journey_cut_marks m where m.cut_id = c.id and m.day = d.day)
    group by c.tenant_id, d.day, c.cut order by d.day desc limit ${PIECES_MAX}`,
}

const MARK_RUNS = `run as (
        select event, tuple, user_hash, int4send(count(*)::integer) || string_agg(int8send(mark), ''::bytea order by mark) as bytes
        from kept group by event, tuple, user_hash`

/** A visit's bytes are as MarkLayout says. */
const VISIT_RUNS = `gap as (
        select *, coalesce("timestamp" - lag("timestamp") over (partition by event, user_hash order by mark) >= interval '${VISIT_GAP_MS} milliseconds', true) as begins
        from kept
      ), numbered as (
        select *, count(*) filter (where begins) over (partition by event, user_hash order by mark) as visit from gap
      ), visit as (
        select event, tuple, user_hash, min(mark) as mark, (extract(epoch from max("timestamp") - min("timestamp")) * 1000000)::bigint as length, count(*) as events
        from numbered group by event, tuple, user_hash, visit
      ), run as (
        select event, tuple, user_hash,
          int4send(count(*)::integer) || string_agg(int8send(mark) || int8send(length) || int4send(events::integer), ''::bytea order by mark) as bytes
        from visit group by event, tuple, user_hash`

/** Packs one piece: one pass over the tenant's day. A mark is what it is in journey_marks; parts come in the order of their values. */
export function packPieceStatement({ tenant_id: tenantId, day, cut: text, ids, events }: CutPiece): Statement {
  const values = new SqlValues()
  const date = values.add(day, 'date')
  const tenant = values.add(tenantId, 'integer')
  const { grain, parts } = parseCut(text)
  const tuple = `jsonb_build_array(${parts.map((part) => partSql(part, values)).join(', ')})`
  const named = values.add(events, 'text[]')
  // Properties stay out of the sort that numbers the events of one instant.
  const tupled = events.includes('') ? tuple : `case when e.event = any (${named}) then ${tuple} end`
  const any =
    grain === 'quarter'
      ? `select '', tuple, user_hash, min("timestamp"), min(mark) from mark group by tuple, user_hash, date_bin('15 minutes', "timestamp", '2000-01-01T00:00:00Z')`
      : `select '', tuple, user_hash, "timestamp", mark from mark`
  return {
    text: `with mark as materialized (
        select event, tuple, user_hash, "timestamp", ${markSql(date, 'user_hash')} as mark
        from (
          select e.event, e.user_hash, e."timestamp", e.partition, e.position, ${tupled} as tuple from events e
          where e.tenant_id = ${tenant} and e."timestamp" >= ${date}::timestamp at time zone 'UTC' and e."timestamp" < (${date} + 1)::timestamp at time zone 'UTC'
        ) e
      ), kept as (
        select event, tuple, user_hash, "timestamp", mark from mark where event = any (${named}) and event <> ''
        ${events.includes('') ? `union all ${any}` : ''}
      ), ${grain === 'visit' ? VISIT_RUNS : MARK_RUNS}
      ), part as (
        select event, tuple, string_agg(int8send(user_hash) || bytes, ''::bytea) as marks from run group by event, tuple
      ), placed as (
        select event, tuple, marks, count(*) over (partition by event) as parts,
          sum(octet_length(marks)) over (partition by event order by tuple) - octet_length(marks) + 1 as first
        from part
      )
      insert into journey_cut_marks (cut_id, tenant_id, day, as_of_xid, parts, marks)
      select c.id, ${tenant}, ${date}, pg_snapshot_xmin(pg_current_snapshot()),
        case when count(p.parts) <= ${PARTS_MAX}
          then coalesce(jsonb_agg(jsonb_build_array(p.tuple, p.first, octet_length(p.marks)) order by p.first) filter (where p.parts is not null), '[]') end,
        coalesce(string_agg(p.marks, ''::bytea order by p.first) filter (where p.parts <= ${PARTS_MAX}), '')
      from unnest(${values.add(ids, 'integer[]')}) as wanted (id) join journey_cuts c using (id) left join placed p on p.event = c.event
      group by c.id
      on conflict do nothing`,
    values: values.list,
  }
}

function partSql(part: CutPart, values: SqlValues): string {
  if ('holds' in part) return `to_jsonb(coalesce(${filterSql(filterOfPart(part), values)}, false))`
  return `coalesce(to_jsonb(${groupSql(pathOfPart(part), values)}), 'null'::jsonb)`
}
