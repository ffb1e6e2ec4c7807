import { ADVISORY_LOCKS } from '@millrace/contracts'
import type { Database, Transaction } from '@millrace/database'
import { OVERFLOW_NAME, parseSeriesKey, type SeriesKey, seriesKey } from '@millrace/rollups'

/** A row of `rollup_series`. */
export interface Series {
  readonly id: number
  readonly tenantId: number
  /** The event of the series key; `*` for a definition that aggregates all events. */
  readonly event: string
  readonly hasProperty: boolean
}

/** Longer names would not fit an index entry. Such records count in the overflow series. */
const NAME_BYTES_MAX = 2000
/** With more series in memory, all are forgotten and looked up again when needed. */
const KNOWN_MAX = 200_000

/**
 * The series of one tenant and rollup definition, which share a limit. The series of all event names are one group
 * too.
 */
interface Group {
  readonly tenantId: number
  readonly event: string | null
  readonly dimensions: readonly string[]
  readonly property: string | null
}

interface GroupState {
  isFull: boolean
  overflow: Series | null
}

interface SeriesRow {
  id: number
  event: string
  dimension_values: (string | null)[]
  overflow: boolean
}

/**
 * Finds the rows of the series that record batches name, and registers new series: at most `seriesMax` for each
 * tenant and definition. Further ones are counted in the definition's overflow series. A registration commits before
 * the records that need it.
 */
export class SeriesRegistry {
  readonly #database: Database
  readonly #seriesMax: number
  readonly #known = new Map<string, Series | null>()
  readonly #groups = new Map<string, GroupState>()

  constructor(config: { seriesMax: number }, deps: { database: Database }) {
    this.#seriesMax = config.seriesMax
    this.#database = deps.database
  }

  /** Whether `resolve` knows all these keys without a query. */
  areKnown(keys: readonly string[]): boolean {
    return keys.every((key) => this.#known.has(key))
  }

  /**
   * The series of each list of keys, in order. null for a key that cannot be stored; its records cannot be stored
   * either.
   * @throws databaseErrors
   */
  async resolve(lists: readonly (readonly string[])[]): Promise<(Series | null)[][]> {
    if (this.#known.size > KNOWN_MAX) {
      this.#known.clear()
      this.#groups.clear()
    }
    const beyond = new Map<string, Series | null>()
    const missing = new Map<string, { group: Group; series: Map<string, SeriesKey> }>()
    for (const key of new Set(lists.flat())) if (!this.#known.has(key)) this.#sort(key, missing, beyond)
    for (const [groupKey, { group, series }] of missing) await this.#register(groupKey, { group, series, beyond })
    return lists.map((keys) => keys.map((key) => this.#known.get(key) ?? beyond.get(key) ?? null))
  }

  #sort(
    key: string,
    missing: Map<string, { group: Group; series: Map<string, SeriesKey> }>,
    beyond: Map<string, Series | null>,
  ): void {
    const series = tryParse(key)
    if (series === null) {
      beyond.set(key, null)
      return
    }
    const isBase = series.property === null && series.dimensions.length === 0
    const group: Group = { ...series, event: isBase ? null : series.event }
    const groupKey = JSON.stringify([group.tenantId, group.event, group.dimensions, group.property])
    const state = this.#groups.get(groupKey)
    if (state !== undefined && state.overflow !== null && (state.isFull || bytesOf(series) > NAME_BYTES_MAX)) {
      beyond.set(key, state.overflow)
      return
    }
    const entry = missing.get(groupKey) ?? { group, series: new Map() }
    entry.series.set(key, series)
    missing.set(groupKey, entry)
  }

  async #register(
    groupKey: string,
    { group, series, beyond }: { group: Group; series: Map<string, SeriesKey>; beyond: Map<string, Series | null> },
  ): Promise<void> {
    const { rows, isFull } = await this.#database.transaction((tx) =>
      register(tx, { groupKey, group, wanted: [...series.values()], seriesMax: this.#seriesMax }),
    )
    let overflow: Series | null = null
    for (const row of rows) {
      const found = { id: row.id, tenantId: group.tenantId, event: row.event, hasProperty: group.property !== null }
      if (row.overflow) overflow = found
      else
        this.#known.set(
          seriesKey({ ...group, event: row.event, dimensions: [...group.dimensions], values: row.dimension_values }),
          found,
        )
    }
    for (const key of series.keys()) if (!this.#known.has(key)) beyond.set(key, overflow)
    this.#groups.set(groupKey, { isFull, overflow })
  }
}

interface Registration {
  readonly groupKey: string
  readonly group: Group
  readonly wanted: readonly SeriesKey[]
  readonly seriesMax: number
}

/**
 * Returns the rows of the wanted series that fit below the limit, new ones included, and the overflow series if there
 * is one. The advisory lock makes consumers register the series of a definition one after the other, so that the
 * limit holds.
 */
async function register(
  tx: Transaction,
  { groupKey, group, wanted, seriesMax }: Registration,
): Promise<{ rows: SeriesRow[]; isFull: boolean }> {
  await tx.query(`select pg_advisory_xact_lock(hashtext('${ADVISORY_LOCKS.series}'), hashtext($1))`, [groupKey])
  const count = await countSeries(tx, group)
  // The series of a full definition are all loaded once: afterwards every series that is not in memory belongs to the
  // overflow series.
  const known = await selectSeries(tx, group, count + wanted.length > seriesMax ? null : wanted)
  const names = new Set(known.map((row) => nameOf(row.event, row.dimension_values)))
  const fresh = wanted.filter(({ event, values }) => !names.has(nameOf(event, values)))
  const fitting = fresh.filter((one) => bytesOf(one) <= NAME_BYTES_MAX).slice(0, Math.max(0, seriesMax - count))
  const rows = [...known, ...(await insertSeries(tx, group, fitting))]
  if (fitting.length < fresh.length && !rows.some((row) => row.overflow)) rows.push(await insertOverflow(tx, group))
  return { rows, isFull: count + fitting.length >= seriesMax }
}

/** Condition on the series of a group; `valuesOf` gives $1 to $4. */
const IN_GROUP =
  'tenant_id = $1 and ($2::text is null or event = $2) and dimensions = $3::text[] and property is not distinct from $4'

function valuesOf(group: Group): unknown[] {
  return [group.tenantId, group.event, group.dimensions, group.property]
}

async function countSeries(tx: Transaction, group: Group): Promise<number> {
  const { rows } = await tx.query<{ n: bigint }>(
    `select count(*) as n from rollup_series where not overflow and ${IN_GROUP}`,
    valuesOf(group),
  )
  return Number(rows[0]?.n)
}

/** The series of a group and its overflow series; only those in `wanted` unless that is null. */
async function selectSeries(tx: Transaction, group: Group, wanted: readonly SeriesKey[] | null): Promise<SeriesRow[]> {
  const { rows } = await tx.query<SeriesRow>(
    `select id, event, dimension_values, overflow from rollup_series where ${IN_GROUP}
       and ($5::jsonb is null or overflow or exists (select from jsonb_to_recordset($5::jsonb) as w (event text, values text[])
         where w.event = rollup_series.event and w.values = rollup_series.dimension_values))`,
    [...valuesOf(group), wanted === null ? null : toJson(wanted)],
  )
  return rows
}

function toJson(series: readonly SeriesKey[]): string {
  return JSON.stringify(series.map(({ event, values }) => ({ event, values })))
}

/** Sent as JSON: an array of arrays with different lengths is not a PostgreSQL array. */
async function insertSeries(tx: Transaction, group: Group, series: readonly SeriesKey[]): Promise<SeriesRow[]> {
  if (series.length === 0) return []
  const { rows } = await tx.query<SeriesRow>(
    `insert into rollup_series (tenant_id, event, dimensions, dimension_values, property)
     select $1, r.event, $2::text[], r.values, $3 from jsonb_to_recordset($4::jsonb) as r (event text, values text[])
     returning id, event, dimension_values, overflow`,
    [group.tenantId, group.dimensions, group.property, toJson(series)],
  )
  return rows
}

async function insertOverflow(tx: Transaction, group: Group): Promise<SeriesRow> {
  const { rows } = await tx.query<SeriesRow>(
    `insert into rollup_series (tenant_id, event, dimensions, dimension_values, property, overflow) values ($1, $2, $3, $4, $5, true)
     on conflict (tenant_id, event, dimensions, dimension_values, property) do update set overflow = true
     returning id, event, dimension_values, overflow`,
    [
      group.tenantId,
      group.event ?? OVERFLOW_NAME,
      group.dimensions,
      group.dimensions.map(() => OVERFLOW_NAME),
      group.property,
    ],
  )
  return rows[0] as SeriesRow
}

function nameOf(event: string, values: readonly (string | null)[]): string {
  return JSON.stringify([event, values])
}

function bytesOf({ event, values }: SeriesKey): number {
  return values.reduce((bytes, value) => bytes + Buffer.byteLength(value ?? ''), Buffer.byteLength(event))
}

/** null for a malformed key and for one with a character that PostgreSQL cannot store. */
function tryParse(key: string): SeriesKey | null {
  try {
    const series = parseSeriesKey(key)
    const isWellFormed = Number.isInteger(series.tenantId) && series.values.length === series.dimensions.length
    const texts = [series.event, ...series.values, series.property].filter((text) => text !== null)
    return isWellFormed && texts.every((text) => !/[\0\uD800-\uDFFF]/u.test(text)) ? series : null
  } catch {
    return null
  }
}
