import type { Statement } from '@millrace/database'
import type { Measure } from '../measures/measure.js'
import { isPaged } from '../measures/paged-query.js'
import type { CellQuery } from '../query/cell-query.js'
import type { Filter } from '../query/filter.js'
import { isoTime } from '../query/iso-time.js'
import type { TimeRange } from '../query/time-range.js'
import { userHash } from '../query/user-hash.js'
import { filterSql, groupSql } from '../sql/field-sql.js'
import { instant, SqlValues } from '../sql/sql-values.js'
import { pageSql } from './cell-page-sql.js'

/** Which records of a range are read: by whether they are in the rollups. `flushed` holds each partition's flushed ordinal at its index. */
export type RawRows =
  | { readonly kind: 'all' }
  | { readonly kind: 'flushed' | 'unflushed'; readonly flushed: readonly (bigint | null)[] }

export interface RawRequest {
  readonly tenantId: number
  readonly query: CellQuery
  readonly measure: Measure
  readonly range: TimeRange
  readonly rows: RawRows
  readonly cellsMax: number
}

/**
 * One row a cell over the raw rows of a range: by the day partitions and the index on time, or by the user's where a filter names users. Of a query
 * that needs a page of cells alone and reads nothing else, those of the page.
 */
export function rawStatement(request: RawRequest): Statement {
  const { tenantId, query, measure, range, rows, cellsMax } = request
  const values = new SqlValues()
  const groups = query.groupBy.map((path, index) => `${groupSql(path, values)} as g${index}`)
  const keys = ['bucket', ...query.groupBy.map((_, index) => `g${index}`)].join(', ')
  const input = [bucketSql(query, 'e."timestamp"', values), ...groups, measure.rawInput(query.metric, values)].filter(
    (sql) => sql !== '',
  )
  const conditions = [
    `e.tenant_id = ${values.add(tenantId, 'integer')}`,
    `e."timestamp" >= ${instant(values, range.fromMs)}`,
    `e."timestamp" < ${instant(values, range.toMs)}`,
    ...(query.event === null ? [] : [`e.event = ${values.add(query.event, 'text')}`]),
    ...userConditions(tenantId, query, values),
    ...query.filters.map((filter) => filterSql(filter, values)),
    ...rowsCondition(rows, values),
  ]
  const cell = `select ${input.join(', ')} from events e where ${conditions.join(' and ')}`
  const cells = measure.rawOutput(keys)
  const isAll = rows.kind === 'all' && range.fromMs === query.fromMs && range.toMs === query.toMs
  const output =
    isAll && isPaged(query)
      ? `, part as (${cells}), ${pageSql(query, { measure, cellsMax }, values)}`
      : ` ${cells} limit ${values.add(cellsMax + 1, 'integer')}`
  return {
    text: `with cell as (${cell})${output}`,
    values: values.list,
    ...(isOfFewUsers(query) && { plan: 'generic' }),
  }
}

/** The index of the bucket that a time lies in, from 0. */
export function bucketSql(query: CellQuery, time: string, values: SqlValues): string {
  if (query.bucketStarts.length === 1) return '0 as bucket'
  const starts = values.add(query.bucketStarts.map(isoTime), 'timestamptz[]')
  return `width_bucket(${time}, ${starts}) - 1 as bucket`
}

/** So many users an index finds sooner than any scan of the range would, however short that is. */
const FEW_USERS = 10

function isOfFewUsers(query: CellQuery): boolean {
  return query.filters.some((filter) => isUserFilter(filter) && filter.texts.length <= FEW_USERS)
}

function isUserFilter(filter: Filter): filter is Extract<Filter, { op: 'in' }> {
  return filter.op === 'in' && filter.path.name === 'user_id'
}

/** Rows of a user carry the hash of the user's id, which the index begins with. */
function userConditions(tenantId: number, query: CellQuery, values: SqlValues): string[] {
  return query.filters.flatMap((filter) => {
    if (!isUserFilter(filter)) return []
    return [
      `e.user_hash = any (${values.add(
        filter.texts.map((text) => userHash(text, tenantId)),
        'bigint[]',
      )})`,
    ]
  })
}

/** A partition that is not known to the consumers has nothing that waits to be rolled up. */
function rowsCondition(rows: RawRows, values: SqlValues): string[] {
  if (rows.kind === 'all') return []
  const isUnflushed = `e.position >= (${values.add(rows.flushed, 'bigint[]')})[e.partition + 1]`
  return [rows.kind === 'unflushed' ? isUnflushed : `(${isUnflushed}) is not true`]
}
