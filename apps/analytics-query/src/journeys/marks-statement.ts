import type { Statement } from '@millrace/database'
import type { Filter } from '../query/filter.js'
import { filterSql, groupSql } from '../sql/field-sql.js'
import { instant, SqlValues } from '../sql/sql-values.js'
import { type MarkCondition, type MarksQuery, PLACE_POSITION_BITS } from './marks.js'
import { usersAsked } from './users-asked.js'

export interface MarksRequest {
  readonly tenantId: number
  readonly query: MarksQuery
  /** At most so many rows of (mask, group) come back, and one more when there are more. */
  readonly groupsMax: number
}

/**
 * All marks of a range in one pass over its rows, packed into one value for each set of conditions and group; so a row costs 24 bytes on the wire
 * and no object. It reads whole day partitions, since no index serves events of all users; those of users that are named it finds by theirs.
 */
export function marksStatement({ tenantId, query, groupsMax }: MarksRequest): Statement {
  const values = new SqlValues()
  const common = commonFilters(query.conditions)
  const tests = query.conditions.map((condition) => conditionSql(condition, common, values))
  const mask = tests.map((test, index) => `(case when ${test} then ${1 << index} else 0 end)`).join(' | ')
  const groups = query.groupBy.map(
    (path, index) => `case when ${tests[0]} then ${groupSql(path, values)} end as g${index}`,
  )
  const keys = ['mask', ...query.groupBy.map((_, index) => `g${index}`)].join(', ')
  const users = usersAsked(query, tenantId)
  const where = [
    ...(users === null ? [] : [`e.user_hash = any (${values.add(users, 'bigint[]')})`]),
    `e.tenant_id = ${values.add(tenantId, 'integer')}`,
    `e."timestamp" >= ${instant(values, query.fromMs)}`,
    `e."timestamp" < ${instant(values, query.toMs)}`,
    ...(tests.includes('true') ? [] : [`(${tests.join(' or ')})`]),
    ...common.map((filter) => filterSql(filter, values)),
  ]
  const place = `(e.partition::bigint << ${PLACE_POSITION_BITS}) + e.position`
  return {
    text: `with mark as (
        select ${[`${mask} as mask`, ...groups].join(', ')}, int8send(e.user_hash) || timestamptz_send(e."timestamp") || int8send(${place}) as bytes
        from events e where ${where.join(' and ')}
      )
      select ${keys}, string_agg(bytes, ''::bytea) as bytes from mark group by ${keys} limit ${values.add(groupsMax + 1, 'integer')}`,
    values: values.list,
  }
}

/** Filters that all conditions have: a row is asked once, and not for each condition again. */
function commonFilters([first, ...others]: readonly MarkCondition[]): readonly Filter[] {
  const isIn = (filter: Filter, { filters }: MarkCondition) => filters.some((other) => isSame(other, filter))
  return (first?.filters ?? []).filter((filter) => others.every((condition) => isIn(filter, condition)))
}

function isSame(a: Filter, b: Filter): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

function conditionSql({ event, filters }: MarkCondition, common: readonly Filter[], values: SqlValues): string {
  const own = filters.filter((filter) => !common.some((other) => isSame(other, filter)))
  const tests = [
    ...(event === null ? [] : [`e.event = ${values.add(event, 'text')}`]),
    ...own.map((filter) => `coalesce(${filterSql(filter, values)}, false)`),
  ]
  return tests.length === 0 ? 'true' : `(${tests.join(' and ')})`
}
