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

/**
 * Which records of a range are read: all, or only those that are (not) in the rollups yet. `flushed` holds the flushed
 * ordinal of each partition at its index.
 */
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
 * One row per cell, aggregated from the raw rows of a range. Uses the index on time of the day partitions, or the index
 * on users when a filter names users. When the query needs only a page of cells and reads nothing else, returns the
 * cells of that page.
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

/** The index of the bucket of a time, from 0. */
export function bucketSql(query: CellQuery, time: string, values: SqlValues): string {
  if (query.bucketStarts.length === 1) return '0 as bucket'
  const starts = values.add(query.bucketStarts.map(isoTime), 'timestamptz[]')
  return `width_bucket(${time}, ${starts}) - 1 as bucket`
}

/** For up to this many users, an index lookup is faster than any scan of the range. */
const FEW_USERS = 10

function isOfFewUsers(query: CellQuery): boolean {
  return query.filters.some((filter) => isUserFilter(filter) && filter.texts.length <= FEW_USERS)
}

function isUserFilter(filter: Filter): filter is Extract<Filter, { op: 'in' }> {
  return filter.op === 'in' && filter.path.name === 'user_id'
}

/** Adds a condition on the hash of the user id, which is the first column of the index on users. */
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

/** A partition without a state has no unflushed records. */
function rowsCondition(rows: RawRows, values: SqlValues): string[] {
  if (rows.kind === 'all') return []
  const isUnflushed = `e.position >= (${values.add(rows.flushed, 'bigint[]')})[e.partition + 1]`
  return [rows.kind === 'unflushed' ? isUnflushed : `(${isUnflushed}) is not true`]
}
