import type { Statement, Transaction } from '@millrace/database'
import { MINUTE_LEVEL, PACKED_LEVEL, windowStartS } from '@millrace/rollups'
import type { Rollup, RollupValues } from './rollup.js'

/** Columns that all rollup tables have. */
export const ROLLUP_COLUMNS = 'window_start, tenant_id, series_id, count, sum, sum_error, min, max, sketch, uniques'

/**
 * Selects the rows that `rollupValues` gives as $1 to $13. All sketches are one binary value with offsets, because an
 * array of bytea would be sent as text.
 */
export const SELECT_ROLLUPS = `select to_timestamp(w), t, s, c, su, se, mi, ma,
    case when sl >= 0 then substring($1::bytea from sa for sl) end, case when ul >= 0 then substring($1::bytea from ua for ul) end
  from unnest($2::float8[], $3::integer[], $4::integer[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[], $9::float8[],
    $10::integer[], $11::integer[], $12::integer[], $13::integer[]) as r (w, t, s, c, su, se, mi, ma, sa, sl, ua, ul)`

export const UPDATE_ROLLUP = `do update set count = excluded.count, sum = excluded.sum, sum_error = excluded.sum_error,
  min = excluded.min, max = excluded.max, sketch = excluded.sketch, uniques = excluded.uniques`

/** Parameters of SELECT_ROLLUPS. `windowOf` gives the start of a rollup's window in seconds since 1970. */
export function rollupValues(rollups: readonly Rollup[], windowOf: (rollup: Rollup) => number): unknown[] {
  const blobs: Buffer[] = []
  let at = 1
  const place = (bytes: Buffer | null): [number, number] => {
    if (bytes === null) return [0, -1]
    blobs.push(bytes)
    at += bytes.length
    return [at - bytes.length, bytes.length]
  }
  const rows = rollups.map((rollup) => {
    const values = rollup.values()
    return { rollup, values, sketch: place(values.sketch), uniques: place(values.uniques) }
  })
  return [
    Buffer.concat(blobs),
    rows.map(({ rollup }) => windowOf(rollup)),
    rows.map(({ rollup }) => rollup.series.tenantId),
    rows.map(({ rollup }) => rollup.series.id),
    rows.map(({ values }) => values.count),
    rows.map(({ values }) => values.sum),
    rows.map(({ values }) => values.sumError),
    rows.map(({ values }) => values.min),
    rows.map(({ values }) => values.max),
    rows.map(({ sketch }) => sketch[0]),
    rows.map(({ sketch }) => sketch[1]),
    rows.map(({ uniques }) => uniques[0]),
    rows.map(({ uniques }) => uniques[1]),
  ]
}

/**
 * The rows of `rollups` of one partition, by index in `rollups`. LATERAL with a limit makes this one look-up in the
 * primary key for each rollup; the bounds let the planner exclude the partitions of other days.
 */
export async function loadRollups(
  tx: Transaction,
  partition: number,
  rollups: readonly Rollup[],
): Promise<Map<number, RollupValues>> {
  const minutes = rollups.map(({ minute }) => minute)
  const { rows } = await tx.query<
    { i: bigint; count: bigint; sum_error: number | null } & Omit<RollupValues, 'count' | 'sumError'>
  >({
    name: 'load_rollup_cells',
    text: `select k.i, r.count, r.sum, r.sum_error, r.min, r.max, r.sketch, r.uniques
           from unnest($2::integer[], $3::integer[], $4::float8[]) with ordinality as k (tenant_id, series_id, window_s, i)
           cross join lateral (select * from ${MINUTE_LEVEL.table} r
             where r.tenant_id = k.tenant_id and r.series_id = k.series_id and r.window_start = to_timestamp(k.window_s) and r.partition = $1
               and r.window_start between to_timestamp($5) and to_timestamp($6) limit 1) r`,
    values: [
      partition,
      rollups.map(({ series }) => series.tenantId),
      rollups.map(({ series }) => series.id),
      minutes.map((minute) => minute * 60),
      reduceMin(minutes) * 60,
      reduceMax(minutes) * 60,
    ],
  })
  return new Map(
    rows.map(({ i, count, sum_error, ...rest }) => [
      Number(i) - 1,
      { ...rest, count: Number(count), sumError: sum_error },
    ]),
  )
}

/**
 * Writes absolute values, together with COMMIT. Only the partition's owner writes these rows, so there is no waiting
 * for locks.
 */
export function writeRollupsStatement(partition: number, rollups: readonly Rollup[]): Statement {
  return {
    name: 'write_rollup_cells',
    text: `insert into ${MINUTE_LEVEL.table} (partition, ${ROLLUP_COLUMNS}) select $14::smallint, * from (${SELECT_ROLLUPS}) as rollups
           on conflict (tenant_id, series_id, window_start, partition) ${UPDATE_ROLLUP}`,
    values: [...rollupValues(rollups, (rollup) => rollup.minute * 60), partition],
  }
}

/**
 * Marks the windows of the next coarser level that hold `rollups` as dirty: queries use neither them nor coarser
 * windows over them until the compactor has rebuilt them. Rows are written in key order, so that two consumers cannot
 * deadlock, and together with COMMIT, since all consumers write the row of the current window.
 */
export function markDirtyStatement(rollups: Iterable<Rollup>): Statement {
  const windows = new Map<string, [number, number]>()
  for (const { series, minute } of rollups) {
    const windowS = windowStartS(minute * MINUTE_LEVEL.seconds, PACKED_LEVEL.seconds)
    windows.set(`${series.tenantId} ${windowS}`, [series.tenantId, windowS])
  }
  const sorted = [...windows.values()].sort(([tenantA, a], [tenantB, b]) => tenantA - tenantB || a - b)
  return {
    name: 'mark_rollup_dirty',
    text: `insert into rollup_dirty as d (level_seconds, tenant_id, window_start)
           select ${PACKED_LEVEL.seconds}, t, to_timestamp(w) from unnest($1::integer[], $2::float8[]) as r (t, w)
           on conflict (level_seconds, tenant_id, window_start) do update set version = d.version + 1`,
    values: [sorted.map(([tenantId]) => tenantId), sorted.map(([, windowS]) => windowS)],
  }
}

function reduceMin(values: readonly number[]): number {
  return values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY)
}

function reduceMax(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
}
