import { lateNameOf } from '@millrace/contracts'
import type { Statement } from '@millrace/database'
import { SqlValues } from '../execute/sql-values.js'
import type { MarksQuery } from './marks.js'

/** Packed days are believed only while someone looks at the notices of late events, which are kept for 14 days. */
const CHECKED_WITHIN = '13 days'
/** Characters of a name in indexes, as in lateNameOf. */
const PREFIX = 500

export interface PackedDayRow {
  /** As 2026-11-21. */
  readonly day: string
  /** A late event has changed it since it was packed. */
  readonly is_late: boolean
  /** null: the day has no such event. */
  readonly event: string | null
  readonly marks: Buffer | null
}

/** Whether a query can be answered from packed days: they know names, users and times, and nothing else of an event. */
export function canUseDays({ conditions, groupBy }: MarksQuery): boolean {
  return groupBy.length === 0 && conditions.every(({ filters }) => filters.length === 0)
}

/** The names whose marks a query needs: null for those of every event. '' stands for any event, by quarters of an hour. */
export function packedNames({ conditions, grain }: MarksQuery): string[] | null {
  const names = conditions.map(({ event }) => event ?? '')
  return grain === 'event' && names.includes('') ? null : [...new Set(names)]
}

/**
 * The packed days that a query's range touches, with the marks of its events: by the indexes on (tenant, day, name) of marks and of notices. A day
 * whose partition has been dropped is none. In one statement with the check for late events, so both are of one state;
 * `offset 0` keeps that check from being made anew for each name.
 */
export function packedDaysStatement(tenantId: number, query: MarksQuery): Statement {
  const names = packedNames(query)
  const values = new SqlValues()
  const tenant = values.add(tenantId, 'integer')
  const of = (column: string, wanted: readonly string[]) =>
    `left(${column}, ${PREFIX}) = any (${values.add(wanted.map(lateNameOf), 'text[]')})`
  const changed =
    names === null || names.includes('') ? '' : `and w.event = any (${values.add(names.map(lateNameOf), 'text[]')})`
  const packed =
    names === null ? `m.event <> ''` : `${of('m.event', names)} and m.event = any (${values.add(names, 'text[]')})`
  return {
    text: `select d.day::text as day, late.is_late, m.event, m.marks
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
      left join journey_marks m on not late.is_late and m.tenant_id = ${tenant} and m.day = d.day and ${packed}
      where d.day >= ${values.add(dayOf(query.fromMs), 'date')} and d.day <= ${values.add(dayOf(query.toMs - 1), 'date')}
        and to_regclass('events_' || to_char(d.day, 'YYYYMMDD')) is not null
        and (select max(checked_at) from journey_days) > now() - interval '${CHECKED_WITHIN}'
      order by d.day`,
    values: values.list,
  }
}

export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10)
}
