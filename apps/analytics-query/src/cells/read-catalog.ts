import type { Result, Statement } from '@millrace/database'
import { findLevel, LEVEL_SECONDS, type LevelSeconds, OVERFLOW_NAME, WIDEST_WINDOW_S } from '@millrace/rollups'
import type { ActiveDefinition, Catalog, PartitionState } from '../plan/catalog.js'
import { BASE_EVENT } from '../plan/choose-series.js'
import type { CellQuery } from '../query/cell-query.js'
import { rowsOf } from '../sql/rows-of.js'

export interface CatalogConfig {
  readonly stream: string
  readonly consumerGroup: string
  /** With more dirty windows, only 1-minute windows are used. */
  readonly dirtyWindowsMax: number
}

/** Read what the planner needs for one query; `toCatalog` takes their results. */
export function catalogStatements(query: CellQuery, config: CatalogConfig): Statement[] {
  return [
    selectDefinitions(query),
    selectOverflows(query),
    selectDirtyWindows(query, config),
    selectPartitions(config),
    SELECT_LEVELS,
  ]
}

export function toCatalog(results: readonly Result[], config: CatalogConfig): Catalog {
  const [definitions, overflows, dirty, partitions, levels] = results
  return {
    definitions: toDefinitions(rowsOf<DefinitionRow>(definitions), rowsOf<OverflowRow>(overflows)),
    dirty: toDirty(rowsOf<DirtyRow>(dirty), config.dirtyWindowsMax),
    partitions: rowsOf<PartitionRow>(partitions).map(toPartition),
    keptFromMs: toKeptFrom(rowsOf<LevelRow>(levels)),
  }
}

interface DefinitionRow {
  event: string
  dimensions: string[]
  property: string | null
  /** -Infinity when the definition is older than the first event. */
  active_from: Date | number
  active_until: Date | number | null
}

/** All definitions with the property of the query, for any event; there are few. */
function selectDefinitions(query: CellQuery): Statement {
  return {
    name: 'rollup_definitions',
    text: `select event, dimensions, property, active_from, active_until from rollup_definitions where property is not distinct from $1`,
    values: [query.metric.property?.name ?? null],
  }
}

interface OverflowRow {
  event: string
  dimensions: string[]
}

/** At most one row per definition; a partial index holds only these rows. */
function selectOverflows(query: CellQuery): Statement {
  return {
    name: 'rollup_overflows',
    text: `select event, dimensions from rollup_series where tenant_id = millrace_tenant() and overflow and property is not distinct from $1`,
    values: [query.metric.property?.name ?? null],
  }
}

interface DirtyRow {
  level_seconds: number
  window_start: Date
}

/**
 * Dirty windows of all levels that overlap the range, by the primary key (level, tenant, start). One more than the
 * limit shows that there are too many.
 */
function selectDirtyWindows(query: CellQuery, config: CatalogConfig): Statement {
  return {
    name: 'rollup_dirty_windows',
    text: `select level_seconds, window_start from rollup_dirty
      where level_seconds = any ($1::integer[]) and tenant_id = millrace_tenant()
        and window_start > $2::timestamptz - interval '${WIDEST_WINDOW_S} seconds' and window_start < $3::timestamptz
      order by level_seconds, window_start limit $4::integer`,
    values: [
      LEVEL_SECONDS,
      new Date(query.fromMs).toISOString(),
      new Date(query.toMs).toISOString(),
      config.dirtyWindowsMax + 1,
    ],
  }
}

interface PartitionRow {
  partition: number
  flushed_ordinal: bigint
  next_ordinal: bigint
  watermark: Date | null
  flushed_watermark: Date | null
  unflushed_from: Date | null
  unflushed_to: Date | null
}

function selectPartitions(config: CatalogConfig): Statement {
  return {
    name: 'stream_partition_states',
    text: `select partition, flushed_ordinal, next_ordinal, watermark, flushed_watermark, unflushed_from, unflushed_to
      from stream_partitions where group_name = $1 and stream = $2 order by partition`,
    values: [config.consumerGroup, config.stream],
  }
}

interface LevelRow {
  level_seconds: number
  /** -Infinity when no window was ever deleted. */
  kept_from: Date | number
}

const SELECT_LEVELS: Statement = {
  name: 'rollup_levels',
  text: 'select level_seconds, kept_from from rollup_levels',
}

function toDefinitions(rows: readonly DefinitionRow[], overflows: readonly OverflowRow[]): ActiveDefinition[] {
  const key = (event: string, dimensions: readonly string[]) => JSON.stringify([event, dimensions])
  const overflowed = new Set(overflows.map(({ event, dimensions }) => key(event, dimensions)))
  const base: ActiveDefinition = {
    event: BASE_EVENT,
    dimensions: [],
    property: null,
    activeFromMs: Number.NEGATIVE_INFINITY,
    activeUntilMs: Number.POSITIVE_INFINITY,
    hasOverflow: overflowed.has(key(OVERFLOW_NAME, [])),
  }
  const defined = rows.map((row) => ({
    event: row.event,
    dimensions: row.dimensions,
    property: row.property,
    activeFromMs: Number(row.active_from),
    activeUntilMs: row.active_until === null ? Number.POSITIVE_INFINITY : Number(row.active_until),
    hasOverflow: overflowed.has(key(row.event, row.dimensions)),
  }))
  return [base, ...defined]
}

function toDirty(rows: readonly DirtyRow[], windowsMax: number): Catalog['dirty'] {
  if (rows.length > windowsMax) return null
  const dirty: Partial<Record<LevelSeconds, number[]>> = {}
  for (const { level_seconds, window_start } of rows) {
    const level = findLevel(level_seconds)
    if (level === undefined) continue
    dirty[level] ??= []
    dirty[level].push(window_start.getTime())
  }
  return dirty
}

function toPartition(row: PartitionRow): PartitionState {
  return {
    partition: row.partition,
    flushedOrdinal: row.flushed_ordinal,
    nextOrdinal: row.next_ordinal,
    watermarkMs: row.watermark?.getTime() ?? null,
    flushedWatermarkMs: row.flushed_watermark?.getTime() ?? null,
    unflushedFromMs: row.unflushed_from?.getTime() ?? null,
    unflushedToMs: row.unflushed_to?.getTime() ?? null,
  }
}

function toKeptFrom(rows: readonly LevelRow[]): Catalog['keptFromMs'] {
  const keptFrom: Partial<Record<LevelSeconds, number>> = {}
  for (const level of LEVEL_SECONDS) {
    const row = rows.find(({ level_seconds }) => level_seconds === level)
    if (row !== undefined) keptFrom[level] = Number(row.kept_from)
  }
  return keptFrom
}
