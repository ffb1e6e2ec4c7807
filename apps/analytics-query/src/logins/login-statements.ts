import type { Statement } from '@millrace/database'
import { bucketSql } from '../cells/raw-statement.js'
import type { CellQuery } from '../query/cell-query.js'
import { filterSql } from '../sql/field-sql.js'
import { instant, SqlValues } from '../sql/sql-values.js'

const RECENT_ROWS = 20
const SHARES_MAX = 100

/** Columns whose name differs from that of the field. */
const COLUMNS: Readonly<Record<string, string>> = { device: 'device_type' }

/**
 * Login attempts in the range that match the filters, by the index on (tenant, time). With filters, the fields that
 * they name are put into a column `properties` as in an event, so that the conditions are the same as for events.
 */
function loginRows(tenantId: number, query: CellQuery, values: SqlValues): string {
  const range = `l.tenant_id = ${values.add(tenantId, 'integer')}
        and l."timestamp" >= ${instant(values, query.fromMs)} and l."timestamp" < ${instant(values, query.toMs)}`
  if (query.filters.length === 0) return `select l.* from login_events l where ${range}`
  const names = [...new Set(query.filters.map(({ path }) => path.name))].filter((name) => name !== 'user_id')
  const properties = names.map((name) => `${values.add(name, 'text')}, l.${columnOf(name)}`).join(', ')
  const filters = query.filters.map((filter) => filterSql(filter, values))
  return `select e.* from (
      select l.*, jsonb_build_object(${properties}) as properties from login_events l where ${range}
    ) e where ${filters.join(' and ')}`
}

function columnOf(name: string): string {
  return COLUMNS[name] ?? name
}

export interface LoginCellRow {
  readonly bucket: number
  readonly attempts: bigint
  readonly succeeded: bigint
  readonly users: bigint
  readonly [group: `g${number}`]: unknown
}

/**
 * One row per bucket and group. Distinct users are found by grouping, which is faster than count(distinct …), which
 * sorts.
 */
export function loginCellsStatement(tenantId: number, query: CellQuery, cellsMax: number): Statement {
  const values = new SqlValues()
  const rows = loginRows(tenantId, query, values)
  const groups = query.groupBy.map(({ name }, index) => `e.${columnOf(name)} as g${index}`)
  const keys = ['bucket', ...query.groupBy.map((_, index) => `g${index}`)].join(', ')
  const input = [bucketSql(query, 'e."timestamp"', values), ...groups, 'e.success', 'e.user_id'].join(', ')
  return {
    text: `with e as (${rows}), cell as (select ${input} from e), of_user as (
        select ${keys}, user_id, count(*) as attempts, count(*) filter (where success) as succeeded from cell group by ${keys}, user_id
      )
      select ${keys}, sum(attempts)::bigint as attempts, sum(succeeded)::bigint as succeeded, count(user_id) as users
      from of_user group by ${keys} limit ${values.add(cellsMax + 1, 'integer')}`,
    values: values.list,
  }
}

/** Number of distinct users in all cells together. */
export function loginUsersStatement(tenantId: number, query: CellQuery): Statement {
  const values = new SqlValues()
  const rows = loginRows(tenantId, query, values)
  return {
    text: `with e as (${rows}), one as (select user_id from e group by user_id) select count(user_id) as users from one`,
    values: values.list,
  }
}

export interface LoginShareRow {
  /** The field whose value is counted; null for all attempts. */
  readonly field: 'method' | 'device' | 'browser' | 'os' | null
  /** The value; null when the attempts have none. */
  readonly name: string | null
  readonly attempts: bigint
  readonly succeeded: bigint
}

/**
 * Totals, and the counts of the most frequent values of each field, in one pass over the rows; there are few
 * combinations of values.
 */
export function loginSharesStatement(tenantId: number, query: CellQuery): Statement {
  const values = new SqlValues()
  const rows = loginRows(tenantId, query, values)
  return {
    text: `with e as (${rows}), one as materialized (
        select method, device_type, browser, os, count(*) as attempts, count(*) filter (where success) as succeeded from e group by 1, 2, 3, 4
      ), share as (
        select case when grouping(method) = 0 then 'method' when grouping(device_type) = 0 then 'device' when grouping(browser) = 0 then 'browser'
            when grouping(os) = 0 then 'os' end as field,
          coalesce(method, device_type, browser, os) as name, coalesce(sum(attempts), 0)::bigint as attempts,
          coalesce(sum(succeeded), 0)::bigint as succeeded
        from one group by grouping sets ((), (method), (device_type), (browser), (os))
      ), ranked as (
        select *, row_number() over (partition by field order by attempts desc, name) as rank from share
      )
      select field, name, attempts, succeeded from ranked where rank <= ${values.add(SHARES_MAX, 'integer')} order by field, rank`,
    values: values.list,
  }
}

export interface RecentLoginRow {
  readonly timestamp: Date
  readonly user_id: string | null
  readonly success: boolean
  readonly method: string
  readonly device_type: string | null
  readonly browser: string | null
  readonly os: string | null
  readonly failure_reason: string | null
}

/** The newest attempts. */
export function recentLoginsStatement(tenantId: number, query: CellQuery): Statement {
  const values = new SqlValues()
  const rows = loginRows(tenantId, query, values)
  return {
    text: `select "timestamp", user_id, success, method, device_type, browser, os, failure_reason from (${rows}) e
      order by "timestamp" desc, message_id desc limit ${values.add(RECENT_ROWS, 'integer')}`,
    values: values.list,
  }
}
