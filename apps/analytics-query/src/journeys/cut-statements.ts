import type { Statement } from '@millrace/database'
import type { FieldPath } from '../query/field-path.js'
import type { Filter } from '../query/filter.js'
import type { TimeRange } from '../query/time-range.js'
import { filterSql } from '../sql/field-sql.js'
import { SqlValues } from '../sql/sql-values.js'
import { type Cut, parseCut, placeOfFilter } from './cuts.js'
import type { CutNeed } from './day-needs.js'
import { packedDaysSql } from './packed-days-statement.js'

export interface CutDayRow {
  readonly day: string
  /** Index among the needs, and of the cut among those that answer it. */
  readonly need: number
  readonly rank: number
  readonly cut_id: number
  /** There are more combinations of values than are kept, so no marks. */
  readonly is_wide: boolean
  readonly bytes: number
}

/** The days of a range that are packed as needed and that no late event has changed since, a row for each need and cut. */
export function cutDaysStatement(tenantId: number, range: TimeRange, needs: readonly CutNeed[]): Statement {
  const values = new SqlValues()
  const tenant = values.add(tenantId, 'integer')
  const ways = needs.flatMap(({ event, cuts }, need) => cuts.map((cut, rank) => ({ need, rank, event, cut })))
  const list = (pick: (way: (typeof ways)[number]) => unknown, type: string) => values.add(ways.map(pick), `${type}[]`)
  const way = `unnest(${list(({ need }) => need, 'integer')}, ${list(({ rank }) => rank, 'integer')}, ${list(({ event }) => event, 'text')}, ${list(({ cut }) => cut, 'text')})`
  const isChanged = (event: string) =>
    `exists (select from window_versions w where w.tenant_id = ${tenant} and w.day = d.day ${event} and w.changed_xid >= m.as_of_xid)`
  return {
    text: `select d.day::text as day, n.need, n.rank, m.cut_id, m.parts is null as is_wide, octet_length(m.marks)::float8 as bytes
      from ${way} as n (need, rank, event, cut)
      join journey_cuts c on c.tenant_id = ${tenant} and c.event = n.event and c.cut = n.cut
      join journey_days d on ${packedDaysSql(range, values)}
      cross join lateral (
        select m.* from journey_cut_marks m where m.cut_id = c.id and m.tenant_id = ${tenant} and m.day = d.day offset 0
      ) m
      where not case when n.event = '' then ${isChanged('')} else ${isChanged('and w.event = left(n.event, 500)')} end`,
    values: values.list,
  }
}

export interface CutMarksRow {
  readonly day: string
  readonly marks: Buffer
  /** JSON values of the groups. */
  readonly [group: `g${number}`]: unknown
}

/** The marks of some days that meet a need's filters, by day and group: stretches of one value a day. */
export function cutMarksStatement(
  tenantId: number,
  need: CutNeed,
  { cutId, cut: text, days }: { readonly cutId: number; readonly cut: string; readonly days: readonly string[] },
): Statement {
  const values = new SqlValues()
  const cut = parseCut(text)
  const groups = need.groupBy.map((path, index) => `${valueSql(cut, path)} as g${index}`)
  const keys = ['day', ...need.groupBy.map((_, index) => `g${index}`)].join(', ')
  const where = [
    `m.cut_id = ${values.add(cutId, 'integer')}`,
    `m.tenant_id = ${values.add(tenantId, 'integer')}`,
    `m.day = any (${values.add(days, 'date[]')})`,
    ...need.condition.filters.map((filter) => holdsSql(cut, filter, values)),
  ]
  const stretch = 'substr(m.marks, (p.part ->> 1)::integer, (p.part ->> 2)::integer) as marks'
  return {
    text: `with stretch as (
        select ${['m.day::text as day', ...groups, stretch].join(', ')}
        from journey_cut_marks m cross join lateral jsonb_array_elements(m.parts) as p (part)
        where ${where.join(' and ')}
      )
      select ${keys}, string_agg(marks, ''::bytea) as marks from stretch group by ${keys} order by day`,
    values: values.list,
  }
}

function valueSql({ parts }: Cut, { name }: FieldPath): string {
  return `(p.part -> 0 -> ${parts.findIndex((part) => 'value' in part && part.value === name)})`
}

/** A filter over a value is asked of a row that has this value and nothing else. */
function holdsSql(cut: Cut, filter: Filter, values: SqlValues): string {
  const { part, index } = placeOfFilter(cut, filter)
  const value = `(p.part -> 0 -> ${index})`
  const { path } = filter
  if ('holds' in part || path.kind === 'column') return `${value} = 'true'::jsonb`
  const row = path.keys.reduceRight((inner, key) => `jsonb_build_object(${values.add(key, 'text')}, ${inner})`, value)
  return `exists (select from (select ${row} as ${path.root}) e where ${filterSql(filter, values)})`
}
