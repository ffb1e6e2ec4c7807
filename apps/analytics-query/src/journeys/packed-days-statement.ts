import { lateNameOf } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import type { TimeRange } from '../query/time-range.js'
import { SqlValues } from '../sql/sql-values.js'
import type { DayNeeds } from './day-needs.js'

/** Packed days are believed only while someone looks at the notices of late events, which are kept for 14 days. */
const CHECKED_WITHIN = '13 days'
/** Characters of a name in indexes, as in lateNameOf. */
const PREFIX = 500

export interface PackedDaysRequest {
  readonly tenantId: number
  readonly range: TimeRange
  readonly names: DayNeeds['names']
}

export interface PackedDayRow {
  /** As 2026-11-21. */
  readonly day: string
  /** Of its marks. */
  readonly bytes: number
}

/** Days that are packed in a range, `d`: one whose partition has been dropped is none, nor is any when nobody looks at late events. */
export function packedDaysSql({ fromMs, toMs }: TimeRange, values: SqlValues): string {
  return `d.day >= ${values.add(dayOf(fromMs), 'date')} and d.day <= ${values.add(dayOf(toMs - 1), 'date')}
        and to_regclass('events_' || to_char(d.day, 'YYYYMMDD')) is not null
        and (select max(checked_at) from journey_days) > now() - interval '${CHECKED_WITHIN}'`
}

/**
 * The packed days that a range touches and that no late event of the names has changed since they were packed, and how large their marks are. Marks
 * that are read in the same snapshot are of the same state. `offset 0` keeps the check from being made anew for each name.
 */
export function packedDaysStatement({ tenantId, range, names }: PackedDaysRequest): Statement {
  const values = new SqlValues()
  const tenant = values.add(tenantId, 'integer')
  const changed =
    names === null || names.includes('') ? '' : `and w.event = any (${values.add(names.map(lateNameOf), 'text[]')})`
  return {
    text: `select d.day::text as day, coalesce(sum(octet_length(m.marks)), 0)::float8 as bytes
      from journey_days d
      cross join lateral (
        select exists (
          select from window_versions w
          where w.tenant_id = ${tenant} and w.day = d.day ${changed}
            and w.changed_xid >= coalesce((
              select o.as_of_xid from journey_marks o where o.tenant_id = ${tenant} and o.day = d.day and left(o.event, ${PREFIX}) = w.event limit 1
            ), d.as_of_xid)
        ) as is_late
        offset 0
      ) late
      left join journey_marks m on m.tenant_id = ${tenant} and m.day = d.day and ${ofNames(names, values)}
      where not late.is_late and ${packedDaysSql(range, values)}
      group by d.day`,
    values: values.list,
  }
}

function ofNames(names: DayNeeds['names'], values: SqlValues): string {
  if (names === null) return `m.event <> ''`
  const prefixes = values.add(names.map(lateNameOf), 'text[]')
  return `left(m.event, ${PREFIX}) = any (${prefixes}) and m.event = any (${values.add(names, 'text[]')})`
}

export interface PackedMarksRow {
  readonly day: string
  readonly event: string
  readonly marks: Buffer
}

/** The marks of names in some days: by the index on (tenant, day, name). */
export function packedMarksStatement(tenantId: number, names: DayNeeds['names'], days: readonly string[]): Statement {
  const values = new SqlValues()
  return {
    text: `select m.day::text as day, m.event, m.marks from journey_marks m
      where m.tenant_id = ${values.add(tenantId, 'integer')} and m.day = any (${values.add(days, 'date[]')}) and ${ofNames(names, values)}
      order by m.day`,
    values: values.list,
  }
}

export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}
