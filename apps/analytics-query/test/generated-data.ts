import { hashText } from '@millrace/contracts'
import { type Database, DayPartitions } from '@millrace/database'
import {
  COARSE_LEVELS,
  type LevelSeconds,
  type MinuteValues,
  PACKED_LEVEL,
  packMinutes,
  packSketches,
  parseKeyPath,
  textOf,
} from '@millrace/rollups'
import { DDSketch, ExactSum, HyperLogLog } from '@millrace/sketches'
import { waitFor } from '@millrace/testing'
import { userHash } from '../src/query/user-hash.js'

/** One stored event. The position is its ordinal in the partition. */
export interface TestEvent {
  tenantId: number
  event: string
  userId: string | null
  anonymousId?: string | null
  timestampMs: number
  receivedAtMs?: number
  type?: number
  messageId?: string
  properties: Record<string, unknown> | null
  partition: number
  position: number
}

export interface TestDefinition {
  event: string
  dimensions: string[]
  property: string | null
  activeFromMs?: number
}

/** Stores rows as the consumer would, a partition a day. */
export async function storeEvents(database: Database, events: readonly TestEvent[]): Promise<void> {
  const days = new DayPartitions(database)
  const times = events.map(({ timestampMs }) => timestampMs)
  await days.ensure('events', Math.min(...times), Math.max(...times))
  const rows = events.map((event) => ({
    position: event.position,
    user_hash: String(userHash(event.userId ?? event.anonymousId ?? '', event.tenantId)),
    timestamp: new Date(event.timestampMs).toISOString(),
    received_at: new Date(event.receivedAtMs ?? event.timestampMs).toISOString(),
    tenant_id: event.tenantId,
    partition: event.partition,
    type: event.type ?? 0,
    message_id: event.messageId ?? `m-${event.partition}-${event.position}`,
    event: event.event,
    user_id: event.userId,
    anonymous_id: event.anonymousId ?? null,
    properties: event.properties,
    context: null,
    segment: 0,
  }))
  await database.query('insert into events select * from jsonb_populate_recordset(null::events, $1::jsonb)', [
    JSON.stringify(rows),
  ])
}

interface Window {
  count: number
  sum: ExactSum
  min: number
  max: number
  sketch: DDSketch
  uniques: HyperLogLog
}

/**
 * Keeps the series of `definitions` and of every event name over the events, in all levels, as the consumer and its compactor would. `held` are the
 * events that a level's windows hold, when they were not all made again since the last one came.
 */
/**
 * Until every change noted in window_versions is older than any transaction under way. Until then it looks new to whoever reads or packs, and
 * transactions count that other tests have open in other databases of the server.
 */
export async function waitUntilNotedChangesAreOld(database: Database): Promise<void> {
  await waitFor(async () => {
    const { rows } = await database.query<{ is_old: boolean }>(
      `select coalesce(max(changed_xid::text::numeric) < pg_snapshot_xmin(pg_current_snapshot())::text::numeric, true) as is_old from window_versions`,
    )
    return rows[0]?.is_old
  })
}

export async function storeRollups(
  database: Database,
  events: readonly TestEvent[],
  definitions: readonly TestDefinition[],
  held: { readonly [Seconds in LevelSeconds]?: readonly TestEvent[] } = {},
): Promise<void> {
  for (const { event, dimensions, property, activeFromMs } of definitions) {
    await database.query(
      'insert into rollup_definitions (event, dimensions, property, active_from) values ($1, $2, $3, $4) on conflict do nothing',
      // As a gateway registers it before the first event.
      [event, dimensions, property, activeFromMs === undefined ? '-infinity' : new Date(activeFromMs).toISOString()],
    )
  }
  const series = collectSeries(events, definitions)
  const ofLevel = new Map(
    COARSE_LEVELS.map(({ seconds }) => [seconds, collectSeries(held[seconds] ?? events, definitions)]),
  )
  for (const [key, windows] of series) {
    await storeSeries(database, JSON.parse(key) as SeriesKey, {
      windows,
      ofLevel: (seconds) => ofLevel.get(seconds)?.get(key) ?? new Map<string, Window>(),
    })
  }
}

function collectSeries(
  events: readonly TestEvent[],
  definitions: readonly TestDefinition[],
): Map<string, Map<string, Window>> {
  const series = new Map<string, Map<string, Window>>()
  for (const event of events) {
    addTo(series, { tenantId: event.tenantId, event: event.event, dimensions: [], values: [], property: null }, event)
    for (const definition of definitions) {
      if (definition.event !== '*' && definition.event !== event.event) continue
      if (event.timestampMs < (definition.activeFromMs ?? 0)) continue
      const values = definition.dimensions.map((path) => textOf(readPath(event, path)))
      addTo(series, { ...definition, tenantId: event.tenantId, values }, event)
    }
  }
  return series
}

interface SeriesKey {
  tenantId: number
  event: string
  dimensions: string[]
  values: (string | null)[]
  property: string | null
}

const hash = { lo: 0, hi: 0 }

function addTo(series: Map<string, Map<string, Window>>, key: SeriesKey, event: TestEvent): void {
  const value = key.property === null ? null : readPath(event, key.property)
  if (key.property !== null && (typeof value !== 'number' || !Number.isFinite(value))) return
  const { tenantId, event: name, dimensions, values, property } = key
  const text = JSON.stringify({ tenantId, event: name, dimensions, values, property })
  const windows = series.get(text) ?? new Map<string, Window>()
  series.set(text, windows)
  const place = `${Math.floor(event.timestampMs / 60_000) * 60_000} ${event.partition}`
  const window = windows.get(place) ?? emptyWindow()
  windows.set(place, window)
  window.count++
  hashText(event.userId ?? event.anonymousId ?? '', event.tenantId, hash)
  window.uniques.add(hash.lo, hash.hi)
  if (typeof value !== 'number') return
  window.sum.add(value)
  window.min = Math.min(window.min, value)
  window.max = Math.max(window.max, value)
  window.sketch.add(value)
}

function emptyWindow(): Window {
  return {
    count: 0,
    sum: new ExactSum(),
    min: Infinity,
    max: -Infinity,
    sketch: new DDSketch(),
    uniques: new HyperLogLog(),
  }
}

interface SeriesWindows {
  readonly windows: Map<string, Window>
  readonly ofLevel: (seconds: LevelSeconds) => Map<string, Window>
}

async function storeSeries(database: Database, key: SeriesKey, { windows, ofLevel }: SeriesWindows): Promise<void> {
  const { rows } = await database.query<{ id: number }>(
    'insert into rollup_series (tenant_id, event, dimensions, dimension_values, property) values ($1, $2, $3, $4, $5) returning id',
    [key.tenantId, key.event, key.dimensions, key.values, key.property],
  )
  const id = rows[0]?.id as number
  const minutes = [...windows].map(([place, window]) => {
    const [start, partition] = place.split(' ').map(Number) as [number, number]
    return { start, partition, window }
  })
  const starts = minutes.map(({ start }) => start)
  await new DayPartitions(database).ensure('rollups_1m', Math.min(...starts), Math.max(...starts))
  await insertWindows(database, 'rollups_1m', { key, id }, minutes)
  for (const { table, seconds } of COARSE_LEVELS) {
    const merged = [...coarser(ofLevel(seconds), seconds * 1000)].map(([start, window]) => ({ start, window }))
    await insertWindows(database, table, { key, id }, merged)
  }
  await packMinutesOf(database, { key, id }, coarser(ofLevel(PACKED_LEVEL.seconds), 60_000))
}

/**
 * As the compactor does, but for one window in eight that waits for it, and one in eight whose minutes are those of before a late event, as a consumer of
 * an older version leaves them.
 */
async function packMinutesOf(
  database: Database,
  { key, id }: { key: SeriesKey; id: number },
  minutes: ReadonlyMap<number, Window>,
): Promise<void> {
  const starts = [...new Set([...minutes.keys()].map((start) => Math.floor(start / 300_000) * 300_000))]
  const packed = starts.flatMap((start) => {
    const turn = (start / 300_000 + id) % 8
    const windows = [0, 1, 2, 3, 4].map((minute) => minutes.get(start + minute * 60_000) ?? null)
    if (turn === 0) return []
    const first = windows.findIndex((window) => window !== null)
    const held = turn === 1 ? windows.map((window, index) => (index === first ? null : window)) : windows
    const isCount = key.property === null
    return [
      {
        start: new Date(start).toISOString(),
        minutes: packMinutes(
          held.map((window) => window && { count: window.count, numbers: isCount ? null : numbersOf(window) }),
        ),
        sketches: packSketches(held.map((window) => window && (isCount ? window.uniques : window.sketch).serialise())),
      },
    ]
  })
  await database.query(
    `update rollups_5m r set minutes = m.minutes, minute_sketches = m.sketches
      from unnest($2::timestamptz[], $3::bytea[], $4::bytea[]) as m (start, minutes, sketches) where r.series_id = $1 and r.window_start = m.start`,
    [id, packed.map(({ start }) => start), packed.map((one) => one.minutes), packed.map(({ sketches }) => sketches)],
  )
}

function numbersOf({ sum, min, max }: Window): MinuteValues['numbers'] {
  return { sum: sum.sum, sumError: sum.error, min, max }
}

async function insertWindows(
  database: Database,
  table: string,
  { key, id }: { key: SeriesKey; id: number },
  rows: readonly { start: number; partition?: number; window: Window }[],
): Promise<void> {
  const types = ['timestamptz', 'smallint', 'bigint', 'float8', 'float8', 'float8', 'float8', 'bytea', 'bytea']
  const tuples = rows.map(({ start, partition, window }) => [
    new Date(start).toISOString(),
    partition ?? 0,
    ...columns(key, window),
  ])
  const arrays = types.map((type, index) => `$${index + 3}::${type}[]`).join(', ')
  const isMinute = table === 'rollups_1m'
  await database.query(
    `insert into ${table} (window_start, tenant_id, series_id, ${isMinute ? 'partition, ' : ''}count, sum, sum_error, min, max, sketch, uniques)
      select w, $1, $2, ${isMinute ? 'p, ' : ''}c, s, se, mi, ma, sk, u from unnest(${arrays}) as t (w, p, c, s, se, mi, ma, sk, u)`,
    [key.tenantId, id, ...types.map((_, index) => tuples.map((tuple) => tuple[index]))],
  )
}

function columns(key: SeriesKey, window: Window): unknown[] {
  if (key.property === null) return [window.count, null, null, null, null, null, window.uniques.serialise()]
  return [
    window.count,
    window.sum.sum,
    window.sum.error,
    window.min,
    window.max,
    window.sketch.serialise(),
    window.uniques.serialise(),
  ]
}

function coarser(windows: Map<string, Window>, widthMs: number): Map<number, Window> {
  const merged = new Map<number, Window>()
  for (const [place, window] of windows) {
    const start = Math.floor(Number(place.split(' ')[0]) / widthMs) * widthMs
    const into = merged.get(start) ?? emptyWindow()
    merged.set(start, into)
    into.count += window.count
    into.sum.merge(window.sum)
    into.min = Math.min(into.min, window.min)
    into.max = Math.max(into.max, window.max)
    into.sketch.merge(window.sketch)
    into.uniques.merge(window.uniques)
  }
  return merged
}

/** Says how far a partition was stored and rolled up. */
export async function storePartition(
  database: Database,
  state: {
    partition: number
    next: number
    flushed: number
    unflushedFromMs?: number | null
    unflushedToMs?: number | null
  },
): Promise<void> {
  const time = (ms: number | null | undefined) => (ms === null || ms === undefined ? null : new Date(ms).toISOString())
  await database.query(
    `insert into stream_partitions (group_name, stream, partition, next_ordinal, flushed_ordinal, unflushed_from, unflushed_to, watermark)
      values ('events-store', 'events', $1, $2, $3, $4, $5, now())
      on conflict (group_name, stream, partition) do update set next_ordinal = excluded.next_ordinal, flushed_ordinal = excluded.flushed_ordinal,
        unflushed_from = excluded.unflushed_from, unflushed_to = excluded.unflushed_to`,
    [state.partition, state.next, state.flushed, time(state.unflushedFromMs), time(state.unflushedToMs)],
  )
}

/** The value at a path, as the gateway reads it. */
export function readPath(event: TestEvent, path: string): unknown {
  if (path === 'event') return event.event
  if (path === 'user_id') return event.userId
  const parsed = parseKeyPath(path)
  if (typeof parsed === 'string') throw new Error(`${path}: ${parsed}`)
  const { root, keys } = parsed
  let value: unknown = root === 'properties' ? event.properties : null
  for (const key of keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Record<string, unknown>)[key]
  }
  return value
}
