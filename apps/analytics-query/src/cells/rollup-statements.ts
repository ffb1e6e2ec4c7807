import type { Statement } from '@millrace/database'
import { ALL_EVENTS, type LevelSeconds, PACKED_LEVEL, tableOfLevel } from '@millrace/rollups'
import type { Measure } from '../measures/measure.js'
import type { SeriesChoice } from '../plan/plan.js'
import type { CellQuery } from '../query/cell-query.js'
import type { TimeRange } from '../query/time-range.js'
import { instant, SqlValues } from '../sql/sql-values.js'
import { bucketSql } from './raw-statement.js'

export interface SeriesRow {
  readonly id: number
  readonly event: string
  readonly dimension_values: (string | null)[]
}

/**
 * The series that match a choice. Uses the unique index on (tenant, event, dimensions, …) when the choice names an
 * event.
 */
export function seriesStatement(tenantId: number, series: SeriesChoice): Statement {
  const values: unknown[] = [tenantId, series.dimensions, series.property]
  const conditions = 'tenant_id = $1 and dimensions = $2::text[] and property is not distinct from $3 and not overflow'
  // There is one built-in series per event. The series of a definition for all events together is not one of them.
  const event = series.event === null ? `event <> '${ALL_EVENTS}'` : 'event = $4'
  if (series.event !== null) values.push(series.event)
  return { text: `select id, event, dimension_values from rollup_series where ${conditions} and ${event}`, values }
}

export interface RollupRequest {
  readonly tenantId: number
  readonly query: CellQuery
  readonly measure: Measure
  readonly level: LevelSeconds
  readonly ranges: readonly TimeRange[]
  readonly seriesIds: readonly number[]
}

/**
 * Windows of one level, by the primary key (tenant, series, start). LATERAL with `offset 0` makes PostgreSQL read one
 * index range per series and span. As a plain join it would read all windows of a series once the ranges are many days
 * long, since it cannot know how few windows a span holds. The bounds over all spans let the planner skip the
 * partitions of other days.
 */
export function rollupStatement(request: RollupRequest): Statement {
  const { query, measure, level } = request
  const values = new SqlValues()
  const windows = windowsSql(tableOfLevel(level), request, values)
  const bucket = bucketSql(query, 'r.window_start', values)
  const grouped = measure.isRollupGrouped ? ' group by bucket, r.series_id' : ''
  return {
    text: `select ${bucket}, r.series_id, ${measure.rollupSelect} from ${windows}${grouped}`,
    values: values.list,
  }
}

export type MinutesRequest = Omit<RollupRequest, 'query' | 'level'>

/** The 5-minute windows around ranges of minutes, with their packed minutes. */
export function minutesStatement(request: MinutesRequest): Statement {
  const { measure, ranges } = request
  const width = PACKED_LEVEL.seconds * 1000
  const around = ranges.map(({ fromMs, toMs }) => ({
    fromMs: Math.floor(fromMs / width) * width,
    toMs: Math.ceil(toMs / width) * width,
  }))
  const values = new SqlValues()
  const windows = windowsSql(PACKED_LEVEL.table, { ...request, ranges: around }, values)
  const sketches = measure.usesSketches ? ', r.minute_sketches' : ''
  return {
    text: `select (date_part('epoch', r.window_start) / 60)::integer as minute, r.series_id, r.count::float8, r.minutes${sketches} from ${windows}`,
    values: values.list,
  }
}

function windowsSql(
  table: string,
  { tenantId, ranges, seriesIds }: Pick<RollupRequest, 'tenantId' | 'ranges' | 'seriesIds'>,
  values: SqlValues,
): string {
  const times = (pick: (range: TimeRange) => number) =>
    values.add(
      ranges.map((range) => new Date(pick(range)).toISOString()),
      'timestamptz[]',
    )
  const spans = `unnest(${times((range) => range.fromMs)}, ${times((range) => range.toMs)}) as span (starts, ends)`
  const series = `unnest(${values.add(seriesIds, 'integer[]')}) as series (id)`
  const tenant = values.add(tenantId, 'integer')
  const first = instant(values, Math.min(...ranges.map(({ fromMs }) => fromMs)))
  const last = instant(values, Math.max(...ranges.map(({ toMs }) => toMs)))
  return `${series} cross join ${spans} cross join lateral (
      select * from ${table} r where r.tenant_id = ${tenant} and r.series_id = series.id
        and r.window_start >= span.starts and r.window_start < span.ends and r.window_start >= ${first} and r.window_start < ${last} offset 0) r`
}
