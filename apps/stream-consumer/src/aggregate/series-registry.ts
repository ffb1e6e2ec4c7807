import { parseSeriesKey, type SeriesKey } from '@millrace/contracts'
import type { Database, Transaction } from '@millrace/database'

/** A row of rollup_series. */
export interface Series {
  readonly id: number
  readonly tenantId: number
  /** As a batch names it in the series of (tenant, event). */
  readonly event: string
  readonly hasProperty: boolean
}

const OVERFLOW = '$overflow'
/** Names longer than this in all would not fit an index entry; they count in the overflow series. */
const NAME_BYTES_MAX = 2000
/** Past so many series in memory all are forgotten and looked up again as they come. */
const KNOWN_MAX = 200_000

/** Series of one tenant and definition, which share a bound. The series by event name alone are one definition. */
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
 * Finds the series that batches name and registers new ones, at most `seriesMax` a tenant and definition; what comes beyond that is counted in
 * the definition's overflow series. Registrations are committed on their own, before the records that need them.
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

  /** Whether `resolve` can answer without asking the database. */
  areKnown(keys: readonly string[]): boolean {
    return keys.every((key) => this.#known.has(key))
  }

  /**
   * The series of each of `lists`, in order. null for a name that cannot be stored, since the records that bear it cannot either.
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

  #sort(key: string, missing: Map<string, { group: Group; series: Map<string, SeriesKey> }>, beyond: Map<string, Series | null>): void {
    const series = tryParse(key)
    if (series === null) {
      beyond.set(key, null)
      return
    }
    const isBase = series.property === null && series.dimensions.length === 0
    const group: Group = { ...series, event: isBase ? null : series.event }
    const groupKey = JSON.stringify([group.tenantId, group.event, group.dimensions, group.property])
    const state = this.#groups.get(groupKey)
    if (state?.isFull && state.overflow !== null) {
      beyond.set(key, state.overflow)
      return
    }
    const entry = missing.get(groupKey) ?? { group, series: new Map() }
    entry.series.set(key, series)
    missing.set(groupKey, entry)
  }

  /** The advisory lock makes consumers that register series of one definition at once do it one after the other, so that the bound holds. */
  async #register(
    groupKey: string,
    { group, series, beyond }: { group: Group; series: Map<string, SeriesKey>; beyond: Map<string, Series | null> },
  ): Promise<void> {
    const { rows, overflow } = await this.#database.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('millrace:series'), hashtext($1))`, [groupKey])
      const known = await selectGroup(tx, group)
      const names = new Set(known.map((row) => nameOf(row.event, row.dimension_values)))
      const fresh = [...series.values()].filter(({ event, values }) => !names.has(nameOf(event, values)))
      const fitting = fresh.filter((one) => bytesOf(one) <= NAME_BYTES_MAX)
      const room = Math.max(0, this.#seriesMax - known.filter((row) => !row.overflow).length)
      const added = await insertSeries(tx, group, fitting.slice(0, room))
      const overflowed = fresh.length > Math.min(fitting.length, room)
      const there = known.find((row) => row.overflow)
      return { rows: [...known, ...added], overflow: there ?? (overflowed ? await insertOverflow(tx, group) : null) }
    })
    const toSeries = (row: SeriesRow): Series => ({
      id: row.id,
      tenantId: group.tenantId,
      event: row.event,
      hasProperty: group.property !== null,
    })
    const byName = new Map(rows.filter((row) => !row.overflow).map((row) => [nameOf(row.event, row.dimension_values), row]))
    const overflowSeries = overflow === null ? null : toSeries(overflow)
    for (const [key, { event, values }] of series) {
      const row = byName.get(nameOf(event, values))
      if (row !== undefined) this.#known.set(key, toSeries(row))
      else beyond.set(key, overflowSeries)
    }
    this.#groups.set(groupKey, { isFull: byName.size >= this.#seriesMax, overflow: overflowSeries })
  }
}

async function selectGroup(tx: Transaction, group: Group): Promise<SeriesRow[]> {
  const { rows } = await tx.query<SeriesRow>(
    `select id, event, dimension_values, overflow from rollup_series
     where tenant_id = $1 and ($2::text is null or event = $2) and dimensions = $3::text[] and property is not distinct from $4`,
    [group.tenantId, group.event, group.dimensions, group.property],
  )
  return rows
}

/** Values go as JSON because an array of arrays of different contents is not a PostgreSQL array. */
async function insertSeries(tx: Transaction, group: Group, series: readonly SeriesKey[]): Promise<SeriesRow[]> {
  if (series.length === 0) return []
  const { rows } = await tx.query<SeriesRow>(
    `insert into rollup_series (tenant_id, event, dimensions, dimension_values, property)
     select $1, r.event, $2::text[], r.values, $3 from jsonb_to_recordset($4::jsonb) as r (event text, values text[])
     returning id, event, dimension_values, overflow`,
    [group.tenantId, group.dimensions, group.property, JSON.stringify(series.map(({ event, values }) => ({ event, values })))],
  )
  return rows
}

async function insertOverflow(tx: Transaction, group: Group): Promise<SeriesRow> {
  const { rows } = await tx.query<SeriesRow>(
    `insert into rollup_series (tenant_id, event, dimensions, dimension_values, property, overflow) values ($1, $2, $3, $4, $5, true)
     on conflict (tenant_id, event, dimensions, dimension_values, property) do update set overflow = true
     returning id, event, dimension_values, overflow`,
    [group.tenantId, group.event ?? OVERFLOW, group.dimensions, group.dimensions.map(() => OVERFLOW), group.property],
  )
  return rows[0] as SeriesRow
}

function nameOf(event: string, values: readonly (string | null)[]): string {
  return JSON.stringify([event, values])
}

function bytesOf({ event, values }: SeriesKey): number {
  return values.reduce((bytes, value) => bytes + Buffer.byteLength(value ?? ''), Buffer.byteLength(event))
}

/** null for a key that is malformed or holds a character that PostgreSQL cannot store. */
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
