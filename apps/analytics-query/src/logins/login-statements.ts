import type { Statement } from '@millrace/database'
import { filterSql, groupSql } from '../execute/field-sql.js'
import { bucketSql } from '../execute/raw-statement.js'
import { instant, SqlValues } from '../execute/sql-values.js'
import type { CellQuery } from '../query/cell-query.js'

const RECENT_ROWS = 20
const SHARES_MAX = 100

/** Attempts of the range that meet the filters, in the shape of events, so that the same conditions and groups apply. By the index on (tenant, time). */
function loginRows(tenantId: number, query: CellQuery, values: SqlValues): string {
  const filters = query.filters.map((filter) => filterSql(filter, values))
  const where = filters.length === 0 ? '' : `where ${filters.join(' and ')}`
  return `select e.* from (
      select l.*, jsonb_build_object('method', l.method, 'device', l.device_type, 'browser', l.browser, 'os', l.os, 'success', l.success,
        'failure_reason', l.failure_reason, 'ip', l.ip) as properties
      from login_events l where l.tenant_id = ${values.add(tenantId, 'integer')}
        and l."timestamp" >= ${instant(values, query.fromMs)} and l."timestamp" < ${instant(values, query.toMs)}
    ) e ${where}`
}

export interface LoginCellRow {
  readonly bucket: number
  readonly attempts: bigint
  readonly succeeded: bigint
  readonly users: bigint
  readonly [group: `g${number}`]: unknown
}

/** One row a bucket and group. */
export function loginCellsStatement(tenantId: number, query: CellQuery, cellsMax: number): Statement {
  const values = new SqlValues()
  const rows = loginRows(tenantId, query, values)
  const groups = query.groupBy.map((path, index) => `${groupSql(path, values)} as g${index}`)
  const keys = ['bucket', ...query.groupBy.map((_, index) => `g${index}`)].join(', ')
  const input = [bucketSql(query, 'e."timestamp"', values), ...groups, 'e.success', 'e.user_id'].join(', ')
  return {
    text: `with e as (${rows}), cell as (select ${input} from e)
      select ${keys}, count(*) as attempts, count(*) filter (where success) as succeeded, count(distinct user_id) as users
      from cell group by ${keys} limit ${values.add(cellsMax + 1, 'integer')}`,
    values: values.list,
  }
}

export interface LoginShareRow {
  /** The column that the row is about; null for all attempts. */
  readonly field: 'method' | 'device' | 'browser' | 'os' | null
  /** null where the attempt did not say. */
  readonly name: string | null
  readonly attempts: bigint
  readonly succeeded: bigint
  readonly users: bigint
}

/** Totals, and the counts of the most frequent values of each field, in one pass. */
export function loginSharesStatement(tenantId: number, query: CellQuery): Statement {
  const values = new SqlValues()
  const rows = loginRows(tenantId, query, values)
  return {
    text: `with e as (${rows}), share as (
        select case when grouping(method) = 0 then 'method' when grouping(device_type) = 0 then 'device' when grouping(browser) = 0 then 'browser'
            when grouping(os) = 0 then 'os' end as field,
          coalesce(method, device_type, browser, os) as name, count(*) as attempts, count(*) filter (where success) as succeeded,
          case when grouping(method, device_type, browser, os) = 15 then count(distinct user_id) else 0 end as users
        from e group by grouping sets ((), (method), (device_type), (browser), (os))
      ), ranked as (
        select *, row_number() over (partition by field order by attempts desc, name) as rank from share
      )
      select field, name, attempts, succeeded, users from ranked where rank <= ${values.add(SHARES_MAX, 'integer')} order by field, rank`,
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
