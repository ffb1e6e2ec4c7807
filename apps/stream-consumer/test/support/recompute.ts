import type { Database } from '@millrace/database'
import { DDSketch, HyperLogLog } from '@millrace/sketches'

/** One window of one series, merged over stream partitions. */
export interface Window {
  key: string
  count: number
  sum: number
  min: number
  max: number
  uniques: number
  quantiles: number[]
}

const QUANTILES = [0.5, 0.95, 0.99]

interface RollupRow {
  window_start: Date
  event: string
  property: string | null
  dimension_values: string[]
  tenant_id: number
  count: bigint
  sum: number | null
  sum_error: number | null
  min: number | null
  max: number | null
  sketch: Buffer | null
  uniques: Buffer | null
}

/** All windows in a rollup table, by series and window. */
export async function readRollups(database: Database, table = 'rollups_1m'): Promise<Map<string, Window>> {
  const { rows } = await database.query<RollupRow>(
    `select r.*, s.event, s.property, s.dimension_values from ${table} r join rollup_series s on s.id = r.series_id`,
  )
  const merged = new Map<string, { rows: RollupRow[]; uniques: HyperLogLog; sketch: DDSketch }>()
  for (const row of rows) {
    const key = JSON.stringify([
      row.tenant_id,
      row.event,
      row.property,
      row.dimension_values,
      row.window_start.getTime(),
    ])
    const entry = merged.get(key) ?? { rows: [], uniques: new HyperLogLog(), sketch: new DDSketch() }
    merged.set(key, entry)
    entry.rows.push(row)
    if (row.uniques) entry.uniques.merge(HyperLogLog.deserialise(row.uniques))
    if (row.sketch) entry.sketch.merge(DDSketch.deserialise(row.sketch))
  }
  return new Map(
    [...merged].map(([key, { rows: parts, uniques, sketch }]) => [
      key,
      {
        key,
        count: parts.reduce((sum, row) => sum + Number(row.count), 0),
        sum: parts.reduce((sum, row) => sum + (row.sum ?? 0) + (row.sum_error ?? 0), 0),
        min: Math.min(...parts.map((row) => row.min ?? Number.POSITIVE_INFINITY)),
        max: Math.max(...parts.map((row) => row.max ?? Number.NEGATIVE_INFINITY)),
        uniques: uniques.estimate(),
        quantiles: QUANTILES.map((q) => sketch.quantile(q)),
      },
    ]),
  )
}

/**
 * The windows recomputed from the stored rows: of the series by event name, and for `property` of the values of
 * `event` by carrier.
 */
export async function recompute(database: Database, windowMs = 60_000): Promise<Map<string, Window>> {
  const { rows } = await database.query<{
    tenant_id: number
    event: string
    timestamp: Date
    user_id: string
    properties: Record<string, unknown> | null
  }>('select tenant_id, event, "timestamp", user_id, properties from events')
  const groups = new Map<string, { values: number[]; users: Set<string>; count: number }>()
  const add = (key: string, user: string, value: number | null): void => {
    const group = groups.get(key) ?? { values: [], users: new Set<string>(), count: 0 }
    groups.set(key, group)
    group.count++
    group.users.add(user)
    if (value !== null) group.values.push(value)
  }
  for (const row of rows) {
    const start = Math.floor(row.timestamp.getTime() / windowMs) * windowMs
    add(JSON.stringify([row.tenant_id, row.event, null, [], start]), row.user_id, null)
    const { delay, carrier } = row.properties ?? {}
    if (row.event !== 'Flight' || typeof delay !== 'number') continue
    add(JSON.stringify([row.tenant_id, 'Flight', 'properties.delay', [carrier ?? null], start]), row.user_id, delay)
  }
  return new Map([...groups].map(([key, { values, users, count }]) => [key, toWindow(key, values, users, count)]))
}

function toWindow(key: string, values: number[], users: Set<string>, count: number): Window {
  const sorted = values.sort((a, b) => a - b)
  return {
    key,
    count,
    sum: sorted.reduce((sum, value) => sum + value, 0),
    min: sorted[0] ?? Number.POSITIVE_INFINITY,
    max: sorted.at(-1) ?? Number.NEGATIVE_INFINITY,
    uniques: users.size,
    quantiles: QUANTILES.map((q) => sorted[Math.max(Math.ceil(q * sorted.length), 1) - 1] ?? Number.NaN),
  }
}

/** Differences beyond what is promised: any in counts and sums, more than 1 % in percentiles and 2 % in uniques. */
export function differences(actual: Map<string, Window>, expected: Map<string, Window>): string[] {
  const found: string[] = []
  for (const key of new Set([...actual.keys(), ...expected.keys()])) {
    const [a, e] = [actual.get(key), expected.get(key)]
    if (a === undefined || e === undefined) {
      found.push(`${key} is ${a ? 'too much' : 'missing'}`)
      continue
    }
    for (const name of ['count', 'sum', 'min', 'max'] as const)
      if (a[name] !== e[name]) found.push(`${key} ${name}: ${a[name]} for ${e[name]}`)
    if (Math.abs(a.uniques - e.uniques) > Math.max(e.uniques * 0.02, 0.5))
      found.push(`${key} uniques: ${a.uniques} for ${e.uniques}`)
    for (const [i, value] of e.quantiles.entries()) {
      if (!Number.isNaN(value) && Math.abs((a.quantiles[i] as number) - value) > Math.abs(value) * 0.01) {
        found.push(`${key} quantile ${QUANTILES[i]}: ${a.quantiles[i]} for ${value}`)
      }
    }
  }
  return found
}
