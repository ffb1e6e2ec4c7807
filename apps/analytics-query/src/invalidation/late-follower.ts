import type { LateDay } from '@millrace/contracts'
import type { Queryable, Statement } from '@millrace/database'

/** How far one has come: every change by a transaction whose id is below `bound` is known. `at` is the server's time then, in ms since 1970. */
export interface Cursor {
  readonly bound: string
  readonly at: number
}

export interface LateFollowerConfig {
  readonly stream: string
  readonly consumerGroup: string
}

export interface LateFollowerDeps {
  readonly reader: Queryable
  /** ms of a clock that only goes forward. */
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

/** A process may have answered from a replica that was so far behind when it died, in ms; changes of that time are told again. */
const BEFORE_MS = 600_000

/**
 * Follows `window_versions` on one server. Ids of transactions are given out in one order and committed in another, so a look begins where the one
 * before had `pg_snapshot_xmin`: whatever was not committed then has an id that is not below it. What a look finds a second time is known by its id.
 */
export class LateFollower {
  readonly #config: LateFollowerConfig
  readonly #deps: LateFollowerDeps
  #cursor: Cursor | undefined
  #seen = new Map<string, string>()
  #watermarkMs = Number.NEGATIVE_INFINITY
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(config: LateFollowerConfig, deps: LateFollowerDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** As of the last look; -Infinity before the first, and while some partition was never read. */
  get watermarkMs(): number {
    return this.#watermarkMs
  }

  /** Since the last look, in ms. */
  get unseenMs(): number {
    return this.#deps.monotonicMs() - this.#lookedAtMs
  }

  /** undefined before the first look. */
  get cursor(): Cursor | undefined {
    return this.#cursor
  }

  /**
   * Tells `onChanged` what has changed since the last look; the first one only finds its place. When `onChanged` throws, the next look tells the same
   * again. Not to be called while it runs. @throws databaseErrors
   */
  async look(onChanged: (windows: readonly LateDay[]) => Promise<void>): Promise<void> {
    const rows = await this.#read(changesSince(this.#config, this.#cursor))
    await this.#take(rows, onChanged)
  }

  /**
   * Goes on from where another process was, telling what has changed since. False, and nothing is told, when that lies ahead of this server: it is not
   * the one that it was.
   */
  async resume(cursor: Cursor, onChanged: (windows: readonly LateDay[]) => Promise<void>): Promise<boolean> {
    const rows = await this.#read(changesSince(this.#config, cursor, BEFORE_MS))
    if (BigInt((rows[0] as Row).top) < BigInt(cursor.bound)) return false
    await this.#take(rows, onChanged)
    return true
  }

  async #read(statement: Statement): Promise<readonly Row[]> {
    const askedAtMs = this.#deps.monotonicMs()
    const { rows } = await this.#deps.reader.query<Row>(statement)
    this.#watermarkMs = rows[0]?.watermark_ms ?? Number.NEGATIVE_INFINITY
    this.#lookedAtMs = askedAtMs
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

/** One statement, so bound, watermark and rows are of one snapshot. By the index over changed_xid, but for the one look that also goes by time. */
function changesSince(
  { consumerGroup, stream }: LateFollowerConfig,
  cursor: Cursor | undefined,
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
