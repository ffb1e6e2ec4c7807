import type { Statement } from '@millrace/database'
import type { Measure } from '../measures/measure.js'
import type { Level } from '../plan/catalog.js'
import type { SeriesChoice, TimeRange } from '../plan/plan.js'
import type { CellQuery } from '../query/cell-query.js'
import { bucketSql } from './raw-statement.js'
import { SqlValues } from './sql-values.js'

export interface SeriesRow {
  readonly id: number
  readonly event: string
  readonly dimension_values: (string | null)[]
}

/** The series of a choice, by the unique index on (tenant, event, dimensions, …) when the event is one. */
export function seriesStatement(tenantId: number, series: SeriesChoice): Statement {
  const values: unknown[] = [tenantId, series.dimensions, series.property]
  const conditions = 'tenant_id = $1 and dimensions = $2::text[] and property is not distinct from $3 and not overflow'
  // The built-in series are one an event; a definition's own series for all events together is not one of them.
  const event = series.event === null ? `event <> '*'` : 'event = $4'
  if (series.event !== null) values.push(series.event)
  return { text: `select id, event, dimension_values from rollup_series where ${conditions} and ${event}`, values }
}

const TABLES: Readonly<Record<Level, string>> = {
  60: 'rollups_1m',
  300: 'rollups_5m',
  3600: 'rollups_1h',
  86400: 'rollups_1d',
}

export interface RollupRequest {
  readonly tenantId: number
  readonly query: CellQuery
  readonly measure: Measure
  readonly level: Level
  readonly ranges: readonly TimeRange[]
  readonly seriesIds: readonly number[]
}

/** Windows of one level, by its primary key (tenant, series, start), a range at a time. */
export function rollupStatement(request: RollupRequest): Statement {
  const { tenantId, query, measure, level, ranges, seriesIds } = request
  const values = new SqlValues()
  const times = (pick: (range: TimeRange) => number) =>
    values.add(
      ranges.map((range) => new Date(pick(range)).toISOString()),
      'timestamptz[]',
    )
  const from = `unnest(${times((range) => range.fromMs)}, ${times((range) => range.toMs)}) as span (starts, ends)`
  const bucket = bucketSql(query, 'r.window_start', values)
  const series = values.add(seriesIds, 'integer[]')
  const on = `r.tenant_id = ${values.add(tenantId, 'integer')} and r.series_id = any (${series}) and r.window_start >= span.starts and r.window_start < span.ends`
  const grouped = measure.isRollupGrouped ? ' group by bucket, r.series_id' : ''
  return {
    text: `select ${bucket}, r.series_id, ${measure.rollupSelect} from ${from} join ${TABLES[level]} r on ${on}${grouped}`,
    values: values.list,
  }
}
