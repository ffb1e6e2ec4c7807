import type { Result, Statement } from '@millrace/database'
import { MINUTE_LEVEL } from '@millrace/rollups'
import type { PlannedCells } from '../admission/admission-control.js'
import type { Measure } from '../measures/measure.js'
import { measureOf } from '../measures/measures.js'
import type { Catalog } from '../plan/catalog.js'
import type { Plan, RollupPart } from '../plan/plan.js'
import type { Cell, CellQuery } from '../query/cell-query.js'
import type { TimeRange } from '../query/time-range.js'
import { CellTable } from './cell-table.js'
import { addPackedMinutes } from './packed-minutes.js'
import { type RawRows, rawStatement } from './raw-statement.js'
import { minutesStatement, rollupStatement } from './rollup-statements.js'

/** The group of each series, by the id of the series. */
export type Groups = ReadonlyMap<number, readonly (string | null)[]>

/** Everything that decides what a planned query reads. */
export interface CellReading {
  readonly tenantId: number
  readonly query: CellQuery
  readonly plan: Plan
  readonly catalog: Catalog
  readonly groups: Groups
  readonly cellsMax: number
}

/** Runs statements in the snapshot of the query. */
export type RunStatements = (statements: readonly Statement[]) => Promise<readonly Result[]>

/** What admission control estimates the cost from. */
export function toPlannedCells({ tenantId, query, plan, catalog, groups }: CellReading): PlannedCells {
  const distinct = new Set(Array.from(groups.values(), (group) => JSON.stringify(group)))
  return {
    tenantId,
    query,
    plan,
    series: groups.size,
    groups: plan.series === null ? null : distinct.size,
    streamPartitions: catalog.partitions.length,
  }
}

/** One statement per rollup part of the plan, in the same order. */
export function rollupStatements(reading: CellReading): Statement[] {
  const measure = measureOf(reading.query.metric)
  return reading.groups.size === 0 ? [] : reading.plan.rollup.map((part) => partStatement(reading, measure, part))
}

/**
 * `statements`: those of rollupStatements, followed by those of rawStatements. @throws databaseErrors, TOO_MANY_GROUPS
 */
export async function addUpCells(
  reading: CellReading,
  statements: readonly Statement[],
  run: RunStatements,
): Promise<Cell[]> {
  const { query, groups, cellsMax } = reading
  const measure = measureOf(query.metric)
  const results = statements.length === 0 ? [] : await run(statements)
  const table = new CellTable(query.groupBy, () => measure.createAccumulator(query.metric), cellsMax)
  const parts = groups.size === 0 ? [] : reading.plan.rollup
  const stale: TimeRange[] = []
  for (const [index, { isPacked, ranges }] of parts.entries()) {
    const result = results[index] as Result
    if (isPacked) stale.push(...addPackedMinutes(table, result, { query, ranges, groups }))
    else addRollups(table, result, groups)
  }
  for (const { rows } of results.slice(parts.length)) table.addRaw(rows)
  if (stale.length > 0) {
    const single = await run([
      partStatement(reading, measure, { level: MINUTE_LEVEL.seconds, isPacked: false, ranges: stale }),
    ])
    for (const result of single) addRollups(table, result, groups)
  }
  return table.cells()
}

function partStatement(
  { tenantId, query, groups }: CellReading,
  measure: Measure,
  { level, isPacked, ranges }: RollupPart,
): Statement {
  const seriesIds = [...groups.keys()]
  return isPacked
    ? minutesStatement({ tenantId, measure, ranges, seriesIds })
    : rollupStatement({ tenantId, query, measure, level, ranges, seriesIds })
}

/** One statement per range of raw rows. */
export function rawStatements({ tenantId, query, plan, catalog, cellsMax }: CellReading): Statement[] {
  const measure = measureOf(query.metric)
  const flushed: (bigint | null)[] = []
  for (const { partition, flushedOrdinal } of catalog.partitions) flushed[partition] = flushedOrdinal
  const known = Array.from(flushed, (ordinal) => ordinal ?? null)
  const rows: RawRows = plan.unflushed.mode === 'left_out' ? { kind: 'flushed', flushed: known } : { kind: 'all' }
  const statements = plan.raw.map((range) => rawStatement({ tenantId, query, measure, range, rows, cellsMax }))
  if (plan.unflushed.mode !== 'read') return statements
  const unflushed = plan.unflushed.ranges.map((range) =>
    rawStatement({ tenantId, query, measure, range, rows: { kind: 'unflushed', flushed: known }, cellsMax }),
  )
  return [...statements, ...unflushed]
}

function addRollups(table: CellTable, result: Result, groups: Groups): void {
  for (const row of result.rows) {
    const group = groups.get(row.series_id as number)
    if (group !== undefined) table.addRollup(row, group)
  }
}
