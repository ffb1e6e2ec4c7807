import type { Statement, Transaction } from '@millrace/database'
import { type Catalog, LEVELS, type Level, type PartitionState, type RollupDefinition } from '../plan/catalog.js'
import { BASE_EVENT } from '../plan/choose-series.js'
import type { CellQuery } from '../query/cell-query.js'

export interface CatalogConfig {
  readonly stream: string
  readonly consumerGroup: string
  /** Above so many windows that wait for recomputation only 1-minute windows are used. */
  readonly dirtyWindowsMax: number
}

/** Reads what the planner needs for one query, in one round trip. */
export async function readCatalog(tx: Transaction, query: CellQuery, config: CatalogConfig): Promise<Catalog> {
  const statements = [
    selectDefinitions(query),
    selectOverflows(query),
    selectDirtyWindows(query, config),
    selectPartitions(config),
    SELECT_KEPT_MINUTES,
  ]
  const [definitions, overflows, dirty, partitions, kept] = await tx.pipeline(statements)
  return {
    definitions: toDefinitions(rowsOf<DefinitionRow>(definitions), rowsOf<OverflowRow>(overflows)),
    dirty: toDirty(rowsOf<DirtyRow>(dirty), config.dirtyWindowsMax),
    partitions: rowsOf<PartitionRow>(partitions).map(toPartition),
    minutesKeptFromMs: toKeptFrom(rowsOf<{ name: string | null }>(kept)[0]?.name ?? null),
  }
}

function rowsOf<Row>(result: { rows: unknown[] } | undefined): Row[] {
  return (result?.rows ?? []) as Row[]
}

interface DefinitionRow {
  event: string
  dimensions: string[]
  property: string | null
  /** -Infinity where the definition was there before the first event. */
  active_from: Date | number
  active_until: Date | number | null
}

/** Definitions are few: all that keep the property, of any event. */
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

/** At most one row a definition; the tenant's series are at most 10,000 a definition and are scanned. */
function selectOverflows(query: CellQuery): Statement {
  return {
    name: 'rollup_overflows',
    text: `select event, dimensions from rollup_series where overflow and property is not distinct from $1`,
    values: [query.metric.property?.name ?? null],
  }
}

interface DirtyRow {
  level_seconds: number
  window_start: Date
}

/** Windows of any level that overlap the range, by the primary key's (level, tenant, start); one more than the limit tells that there are too many. */
function selectDirtyWindows(query: CellQuery, config: CatalogConfig): Statement {
  return {
    name: 'rollup_dirty_windows',
    text: `select level_seconds, window_start from rollup_dirty
      where level_seconds = any ($1::integer[]) and tenant_id = millrace_tenant()
        and window_start > $2::timestamptz - interval '1 day' and window_start < $3::timestamptz
      order by level_seconds, window_start limit $4::integer`,
    values: [
      LEVELS,
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

/**
 * The oldest day whose 1-minute windows are kept, from the names of the partitions. By the ids of the partitions: the planner would rather scan all of
 * pg_class, and match every name in it, than look up each one.
 */
const SELECT_KEPT_MINUTES: Statement = {
  name: 'rollups_1m_kept',
  text: `select min(name) as name from (select inhrelid::regclass::text as name from pg_inherits where inhparent = 'rollups_1m'::regclass) partition
    where name ~ '_[0-9]{8}$'`,
}

function toDefinitions(rows: readonly DefinitionRow[], overflows: readonly OverflowRow[]): RollupDefinition[] {
  const key = (event: string, dimensions: readonly string[]) => JSON.stringify([event, dimensions])
  const overflowed = new Set(overflows.map(({ event, dimensions }) => key(event, dimensions)))
  const base: RollupDefinition = {
    event: BASE_EVENT,
    dimensions: [],
    property: null,
    activeFromMs: Number.NEGATIVE_INFINITY,
    activeUntilMs: Number.POSITIVE_INFINITY,
    hasOverflow: overflowed.has(key(OVERFLOW_EVENT, [])),
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

/** The event of the series of events whose own series would be one too many. */
const OVERFLOW_EVENT = '$overflow'

function toDirty(rows: readonly DirtyRow[], windowsMax: number): Catalog['dirty'] {
  if (rows.length > windowsMax) return null
  const dirty: Partial<Record<Level, number[]>> = {}
  for (const { level_seconds, window_start } of rows) {
    const level = LEVELS.find((candidate) => candidate === level_seconds)
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

function toKeptFrom(name: string | null): number {
  const day = /(\d{4})(\d{2})(\d{2})$/.exec(name ?? '')
  return day === null ? Number.POSITIVE_INFINITY : Date.UTC(Number(day[1]), Number(day[2]) - 1, Number(day[3]))
}
