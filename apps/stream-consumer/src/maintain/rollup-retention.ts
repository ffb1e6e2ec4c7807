import type { Connection, Queryable } from '@millrace/database'
import type { DeletionContext, RetainedRelation } from '@millrace/retention'
import { COARSE_LEVELS, type CoarseLevel, MINUTE_LEVEL } from '@millrace/rollups'

/** Series whose windows one statement deletes. */
const SERIES_PER_STATEMENT = 100

/**
 * Tells readers and the compactor, before anything is deleted, from which time on the windows of each level are kept.
 * Cutoffs never move back: a longer retention does not bring deleted windows back. Waits for the compactor, which
 * must not lose the windows that it is reading.
 */
export async function publishRollupCutoffs(database: Queryable, cutoffOf: (relation: string) => Date): Promise<void> {
  const levels = [MINUTE_LEVEL, ...COARSE_LEVELS]
  await database.query(
    `update rollup_levels l set kept_from = h.kept_from from unnest($1::integer[], $2::timestamptz[]) as h (level_seconds, kept_from)
     where l.level_seconds = h.level_seconds and l.kept_from < h.kept_from`,
    [levels.map(({ seconds }) => seconds), levels.map(({ table }) => cutoffOf(table).toISOString())],
  )
}

/**
 * The windows of a coarse level. They are deleted up to the published cutoff, along the primary key, some series at a
 * time. Costs one look-up while the cutoff stays where it was.
 */
export function rollupWindows({ table, seconds }: CoarseLevel): RetainedRelation {
  return {
    relation: table,
    deleteBefore: async (_cutoff, context) => {
      const { connection, signal } = context
      const { rows } = await connection.query<{ kept_from: Date }>(
        'select kept_from from rollup_levels where level_seconds = $1 and emptied_to < kept_from',
        [seconds],
      )
      const keptFrom = rows[0]?.kept_from
      if (keptFrom === undefined) return
      for (let after: number | null = 0; after !== null; ) {
        if (signal.aborted) return
        after = await deleteWindows(table, { after, keptFrom }, context)
      }
      await connection.query('update rollup_levels set emptied_to = $2 where level_seconds = $1', [seconds, keptFrom])
    },
  }
}

/** Deletes the old windows of the next series and returns the last of these series; null when there are none left. */
async function deleteWindows(
  table: string,
  { after, keptFrom }: { after: number; keptFrom: Date },
  { connection, onRowsDeleted }: Pick<DeletionContext, 'onRowsDeleted'> & { connection: Pick<Connection, 'query'> },
): Promise<number | null> {
  const { rows: series } = await connection.query<{ tenant_id: number; id: number }>(
    'select tenant_id, id from rollup_series where id > $1 order by id limit $2',
    [after, SERIES_PER_STATEMENT],
  )
  const last = series.at(-1)
  if (last === undefined) return null
  const { rowCount } = await connection.query(
    `delete from ${table} r using unnest($1::integer[], $2::integer[]) as s (tenant_id, id)
     where r.tenant_id = s.tenant_id and r.series_id = s.id and r.window_start < $3`,
    [series.map(({ tenant_id }) => tenant_id), series.map(({ id }) => id), keptFrom],
  )
  if (rowCount > 0) onRowsDeleted(rowCount)
  return last.id
}
