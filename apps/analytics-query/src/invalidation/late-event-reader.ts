import type { LateDay } from '@millrace/contracts'
import type { Queryable, Statement } from '@millrace/database'

/**
 * Every change by a transaction with an id below `bound` has been read. `at` is the time of the server then, in ms
 * since 1970.
 */
export interface LatePosition {
  readonly bound: string
  readonly at: number
}

export interface LateEventReaderConfig {
  readonly stream: string
  readonly consumerGroup: string
}

export interface LateEventReaderDeps {
  readonly reader: Queryable
  /** Milliseconds of a monotonic clock. */
  readonly monotonicMs: () => number
}

interface Row {
  readonly bound: string
  readonly top: string
  readonly at_ms: number
  readonly watermark_ms: number | null
  readonly tenant_id: number | null
  readonly event: string
  readonly day: string
  readonly xid: string
}

/**
 * An earlier process may have read from a replica that lagged by this much, in ms; changes within this time are
 * reported again.
 */
const BEFORE_MS = 600_000

/* * Reads the changes in `window_versions` on one server. Transactions commit in another order than their ids, so a reading starts at the `pg_snapshot_xmin` of the reading
 * before: every transaction that was not committed then has an id at or above it. Rows that are read a second time are recognised by their transaction id.
 */
export class LateEventReader {
  readonly #config: LateEventReaderConfig
  readonly #deps: LateEventReaderDeps
  #cursor: LatePosition | undefined
  #seen = new Map<string, string>()
  #watermarkMs = Number.NEGATIVE_INFINITY
  #readAtMs = Number.NEGATIVE_INFINITY

  constructor(config: LateEventReaderConfig, deps: LateEventReaderDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** The watermark at the last reading; -Infinity before the first one, and while some partition was never consumed. */
  get watermarkMs(): number {
    return this.#watermarkMs
  }

  /** Time since the last reading, in ms. */
  get unseenMs(): number {
    return this.#deps.monotonicMs() - this.#readAtMs
  }

  /** Undefined before the first reading. */
  get cursor(): LatePosition | undefined {
    return this.#cursor
  }

  /**
   * Passes the days that late events changed since the last reading to `onChanged`; the first reading only finds its
   * position. When `onChanged` throws, the next reading reports the same days again. Must not be called while a reading
   * runs.
   * @throws databaseErrors
   */
  async read(onChanged: (windows: readonly LateDay[]) => Promise<void>): Promise<void> {
    const rows = await this.#read(changesSince(this.#config, this.#cursor))
    await this.#take(rows, onChanged)
  }

  /**
   * Continues from the position of another process. Resolves to false and reports nothing when the position is ahead of
   * this server, which then is not the same database.
   */
  async resume(cursor: LatePosition, onChanged: (windows: readonly LateDay[]) => Promise<void>): Promise<boolean> {
    const rows = await this.#read(changesSince(this.#config, cursor, BEFORE_MS))
    if (BigInt((rows[0] as Row).top) < BigInt(cursor.bound)) return false
    await this.#take(rows, onChanged)
    return true
  }

  async #read(statement: Statement): Promise<readonly Row[]> {
    const askedAtMs = this.#deps.monotonicMs()
    const { rows } = await this.#deps.reader.query<Row>(statement)
    this.#watermarkMs = rows[0]?.watermark_ms ?? Number.NEGATIVE_INFINITY
    this.#readAtMs = askedAtMs
    return rows
  }

  async #take(rows: readonly Row[], onChanged: (windows: readonly LateDay[]) => Promise<void>): Promise<void> {
    const { bound, at_ms: at } = rows[0] as Row
    const found = rows.filter((row) => row.tenant_id !== null)
    const changed = found.filter((row) => this.#seen.get(keyOf(row)) !== row.xid)
    if (changed.length > 0) await onChanged(changed.map(toWindow))
    const least = BigInt(bound)
    this.#seen = new Map(found.filter(({ xid }) => BigInt(xid) >= least).map((row) => [keyOf(row), row.xid]))
    this.#cursor = { bound, at }
  }
}

/**
 * One statement, so that bound, watermark and rows are from one snapshot. Uses the index on changed_xid, except when it
 * also selects by time.
 */
function changesSince(
  { consumerGroup, stream }: LateEventReaderConfig,
  cursor: LatePosition | undefined,
  beforeMs?: number,
): Statement {
  const byTime = beforeMs === undefined ? '' : 'or w.changed_at >= to_timestamp($4::float8 / 1000)'
  const values = [consumerGroup, stream, cursor?.bound ?? null]
  return {
    name: beforeMs === undefined ? 'late_windows' : 'late_windows_before',
    text: `select pg_snapshot_xmin(n.s)::text as bound, pg_snapshot_xmax(n.s)::text as top,
        (extract(epoch from clock_timestamp()) * 1000)::float8 as at_ms,
        (select case when count(*) = count(watermark) then (extract(epoch from min(watermark)) * 1000)::float8 end
           from stream_partitions where group_name = $1 and stream = $2) as watermark_ms,
        w.tenant_id, w.event, w.day::text as day, w.changed_xid::text as xid
      from (select pg_current_snapshot() as s) n
      left join window_versions w on w.changed_xid >= $3::xid8 ${byTime}`,
    values: beforeMs === undefined ? values : [...values, (cursor?.at ?? 0) - beforeMs],
  }
}

function keyOf({ tenant_id, day, event }: Row): string {
  return `${tenant_id} ${day} ${event}`
}

function toWindow({ tenant_id, event, day }: Row): LateDay {
  return { tenant: tenant_id as number, event, day }
}
