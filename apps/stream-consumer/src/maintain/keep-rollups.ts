import { DAY_MS } from '@millrace/contracts'
import type { Connection, Queryable } from '@millrace/database'

/** How long the windows of each level are kept, in ms. */
export interface RollupRetention {
  readonly minutesMs: number
  readonly fiveMinutesMs: number
  readonly hoursMs: number
  readonly daysMs: number
}

/** Series whose windows one statement deletes. */
const SERIES_A_STATEMENT = 100

const TABLES = [
  { seconds: 300, table: 'rollups_5m' },
  { seconds: 3600, table: 'rollups_1h' },
  { seconds: 86_400, table: 'rollups_1d' },
] as const

/**
 * Says, before anything is deleted, from when on windows of each level are kept: whole UTC days, and never less than before. A level keeps at least what the
 * next finer one does, since its windows are made anew from those when a late event comes. Waits for the compactor, which must not see them go.
 */
export async function raiseHorizons(database: Queryable, retention: RollupRetention, nowMs: number): Promise<void> {
  const { minutesMs, fiveMinutesMs, hoursMs, daysMs } = retention
  let longestMs = 0
  const horizons = [minutesMs, fiveMinutesMs, hoursMs, daysMs].map((keptMs) => {
    longestMs = Math.max(longestMs, keptMs)
    return new Date(Math.floor((nowMs - longestMs) / DAY_MS) * DAY_MS).toISOString()
  })
  await database.query(
    `update rollup_levels l set kept_from = h.kept_from from unnest($1::integer[], $2::timestamptz[]) as h (level_seconds, kept_from)
     where l.level_seconds = h.level_seconds and l.kept_from < h.kept_from`,
    [[60, ...TABLES.map(({ seconds }) => seconds)], horizons],
  )
}

/**
 * Deletes the windows of 5 minutes, hours and days that are no longer kept, and returns how many. Along the primary key, some series at a time, each
 * statement a transaction: what is cut short is gone on with by the next call. Costs nothing until a horizon has moved on. One process at a time.
 */
export async function deleteGoneWindows(connection: Pick<Connection, 'query'>): Promise<number> {
  let deleted = 0
  for (const { seconds, table } of TABLES) {
    const { rows } = await connection.query<{ kept_from: Date }>(
      'select kept_from from rollup_levels where level_seconds = $1 and emptied_to < kept_from',
      [seconds],
    )
    const keptFrom = rows[0]?.kept_from
    if (keptFrom === undefined) continue
    for (let after = 0; ; ) {
      const { rows: series } = await connection.query<{ tenant_id: number; id: number }>(
        'select tenant_id, id from rollup_series where id > $1 order by id limit $2',
        [after, SERIES_A_STATEMENT],
      )
      if (series.length === 0) break
      after = series.at(-1)?.id ?? after
      deleted += await deleteWindows(connection, table, { series, keptFrom })
    }
    await connection.query('update rollup_levels set emptied_to = $2 where level_seconds = $1', [seconds, keptFrom])
  }
  return deleted
}

async function deleteWindows(
  connection: Pick<Connection, 'query'>,
  table: string,
  { series, keptFrom }: { series: readonly { tenant_id: number; id: number }[]; keptFrom: Date },
): Promise<number> {
  const { rowCount } = await connection.query(
    `delete from ${table} r using unnest($1::integer[], $2::integer[]) as s (tenant_id, id)
     where r.tenant_id = s.tenant_id and r.series_id = s.id and r.window_start < $3`,
    [series.map(({ tenant_id }) => tenant_id), series.map(({ id }) => id), keptFrom],
  )
  return rowCount
}
